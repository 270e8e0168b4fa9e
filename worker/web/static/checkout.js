// From the agreement to the payment window and back. Nothing here decides anything: the server asks PortOne itself.
(function () {
  "use strict";

  const checkout = document.getElementById("checkout");
  const form = document.getElementById("agreement");
  const line = document.getElementById("say");
  const POLLS = [0, 1000, 2000, 3000, 5000, 8000]; // milliseconds between two questions for a result that is not known yet
  let busy = false;

  function say(text, wrong) {
    line.textContent = text || "";
    line.classList.toggle("wrong", Boolean(wrong));
    if (wrong) line.focus();
  }

  function lock(locked) {
    busy = locked;
    if (!form) return;
    form.setAttribute("aria-busy", String(locked));
    document.getElementById("go").disabled = locked;
  }

  function stop(text) {
    lock(false);
    say(text, true);
  }

  function wait(milliseconds) {
    return new Promise(function (resume) { window.setTimeout(resume, milliseconds); });
  }

  async function post(address, body) {
    const response = await fetch(address, {
      method: "POST", headers: { "Content-Type": "application/json" }, credentials: "omit", body: JSON.stringify(body)
    });
    const answer = await response.json();
    if (!response.ok && !answer.message && !answer.state) throw new Error("HTTP " + response.status);
    return answer;
  }

  function showResult(told) {
    window.location.replace(checkout.dataset.result + (told ? "&told=" + told : ""));
  }

  // Ask the server how it stands until it knows. `ended` is what a window said: its imp_uid, and whether it succeeded.
  async function complete(ended) {
    lock(true);
    say(checkout.dataset.sayChecking);
    try {
      for (const pause of POLLS) {
        await wait(pause);
        const answer = await post(checkout.dataset.complete, ended || { success: checkout.dataset.hopeful === "yes" });
        if (answer.state === "open" && form) {
          lock(false);
          if (ended) say(ended.imp_uid ? answer.message : checkout.dataset.sayNotPossible, true);
          else say(checkout.dataset.notice, Boolean(checkout.dataset.notice));
          return;
        }
        if (answer.state === "mismatch" && form) { stop(answer.message); return; }
        // Refused, or the server is in trouble: showing the page again would ask again, and so on without end.
        if (!answer.state) { stop(answer.message); return; }
        if (answer.state !== "pending") { showResult(); return; }
      }
      if (form) showResult("pending"); else say(checkout.dataset.sayTrouble, true);
    } catch (error) {
      stop(checkout.dataset.sayTrouble);
    }
  }

  // Say and ask only what the chosen payment window is about.
  function suitTheWindow() {
    const pg = new FormData(form).get("pg");
    checkout.querySelectorAll("[data-pgs]").forEach(function (each) {
      each.hidden = !each.dataset.pgs.split(" ").includes(pg);
      each.querySelectorAll("input").forEach(function (input) { input.disabled = each.hidden; });
    });
    const buyer = form.querySelector(".buyer");
    if (buyer) buyer.hidden = !buyer.querySelector("input:enabled");
  }

  function whatIsWrong() {
    let first = null;
    form.querySelectorAll("input:enabled").forEach(function (input) {
      const right = input.checkValidity();
      input.removeAttribute("aria-invalid");
      if (!right) { input.setAttribute("aria-invalid", "true"); first = first || input; }
    });
    return first;
  }

  // Mark what the server has found wrong, and go where it is.
  function mark(names) {
    const wrong = Array.from(form.querySelectorAll(".buyer input:enabled")).filter(function (input) { return names.includes(input.name); });
    wrong.forEach(function (input) { input.setAttribute("aria-invalid", "true"); });
    if (wrong.length) wrong[0].focus();
  }

  function fields() {
    const given = new FormData(form);
    const buyer = {};
    form.querySelectorAll(".buyer input:enabled").forEach(function (input) { buyer[input.name] = input.value; });
    return { wording: checkout.dataset.wording, owed: Number(checkout.dataset.owed), given_up: Number(checkout.dataset.givenUp), consent: given.get("consent") === "yes", pg: given.get("pg"), buyer: buyer };
  }

  async function agree() {
    if (!window.IMP) { stop(checkout.dataset.sayNoSdk); return; }
    lock(true);
    say(checkout.dataset.sayOpening);
    let answer;
    try {
      answer = await post(checkout.dataset.agree, fields());
    } catch (error) {
      stop(checkout.dataset.sayTrouble);
      return;
    }
    if (answer.state) { showResult(); return; }
    if (!answer.param) { stop(answer.message); mark(answer.fields || []); return; }
    say(checkout.dataset.sayInWindow);
    window.IMP.init(checkout.dataset.merchant);
    window.IMP.request_pay(answer.param, function (told) {
      const known = told || {};
      complete({ imp_uid: known.imp_uid || null, success: known.success !== false && !known.error_code });
    });
  }

  if (form) {
    lock(false); // until here the browser would have sent the form itself, with everything in it
    suitTheWindow();
    form.addEventListener("change", suitTheWindow);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (busy) return;
      const wrong = whatIsWrong();
      if (wrong) {
        say(wrong.name === "consent" ? checkout.dataset.sayAgreeFirst : wrong.validationMessage, true);
        wrong.focus();
        return;
      }
      agree();
    });
  }

  // A window was opened before: it may have been paid in a tab that is gone. And Back may show this page as it was left.
  if (checkout.dataset.check === "yes") complete(null);
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) window.location.reload();
  });
})();
