// The payment window: sends the buyer's decision to the sandbox and tells the page that opened it how it ended.
(function () {
  "use strict";

  var page = document.body;
  var form = document.getElementById("decision");
  var status = document.getElementById("status");
  var ended = JSON.parse(page.dataset.ending);
  var busy = false;

  function say(text) {
    status.textContent = text || "";
  }

  function lock(locked) {
    busy = locked;
    page.setAttribute("aria-busy", String(locked));
    form.querySelectorAll("button, input, select").forEach(function (each) {
      each.disabled = locked;
    });
  }

  // Tell the page that opened the window; with a redirect, or without such a page, go there instead.
  function report(ending) {
    if (ending.redirect) window.location.assign(ending.redirect);
    else if (window.parent !== window && page.dataset.hostOrigin) {
      var told = { sandbox: "payment-window", window_id: page.dataset.windowId, callback: ending.callback };
      window.parent.postMessage(told, page.dataset.hostOrigin);
    } else say(page.dataset.textEnded);
  }

  function show(ending) {
    page.dataset.state = ending.state;
    if (ending.state === "expired") {
      say(page.dataset.textExpired);
    } else if (ending.reports === false) {
      say(page.dataset.textSilent);
    } else {
      say(page.dataset.textEnded);
      report(ending);
    }
  }

  function decide(decision) {
    if (busy) return;
    var instrument = form.querySelector("input[name=instrument]:checked");
    var reason = document.getElementById("reason");
    lock(true);
    say(page.dataset.textWorking);
    fetch("/v1/windows/" + page.dataset.windowId + "/decision", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ decision: decision, instrument: instrument.value, reason: reason.value })
    })
      .then(function (response) {
        if (!response.ok) throw new Error("HTTP " + response.status);
        return response.json();
      })
      .then(show)
      .catch(function () {
        lock(false);
        say(page.dataset.textTrouble);
      });
  }

  if (form) {
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      decide(event.submitter ? event.submitter.value : "approve");
    });
    document.addEventListener("keydown", function (event) {
      // in the list of reasons Escape closes the list
      if (event.key === "Escape" && event.target.tagName !== "SELECT") decide("close");
    });
    lock(false); // disabled until here: a click before this would send the form to nowhere
  }

  var goOn = document.getElementById("go-on");
  if (goOn) {
    goOn.addEventListener("click", function () {
      report(ended);
    });
    goOn.disabled = false;
  }

  // Back may show this page as it was left, with buttons that have done their work: ask how it stands.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) window.location.reload();
  });
})();
