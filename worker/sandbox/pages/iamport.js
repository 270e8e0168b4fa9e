// The sandbox's stand-in for PortOne's JavaScript SDK: IMP.init(code) and IMP.request_pay(param, callback).
//
// Written for this sandbox. It runs under a Content-Security-Policy that names the sandbox's origin in script-src,
// connect-src and frame-src and nothing else: no inline script, no eval, no style attribute.
(function () {
  "use strict";

  var script = document.currentScript;
  var sandbox = new URL(script ? script.src : window.location.href).origin;
  var merchantCode = null;
  var busy = false; // from a call of request_pay until its result: a second click opens no second window

  function isMobile() {
    return /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent);
  }

  function failure(param, code, message) {
    var merchantUid = param && typeof param.merchant_uid === "string" ? param.merchant_uid : null;
    return { success: false, imp_uid: null, merchant_uid: merchantUid, error_code: code, error_msg: message };
  }

  function set(element, styles) {
    Object.keys(styles).forEach(function (name) {
      element.style[name] = styles[name];
    });
  }

  function overlay(opened) {
    var dialog = document.createElement("dialog"); // as a modal it makes the page behind it inert by itself
    dialog.setAttribute("aria-label", opened.title);
    dialog.setAttribute("data-testid", "sandbox-overlay");
    set(dialog, {
      position: "fixed", inset: "0", width: "100%", height: "100%", maxWidth: "none", maxHeight: "none",
      margin: "0", padding: "0", border: "0", boxSizing: "border-box", overflow: "hidden",
      background: "rgba(20, 20, 20, 0.6)", zIndex: "2147483647"
    });
    dialog.addEventListener("cancel", function (event) {
      event.preventDefault(); // Escape: the window has a close button, and a result to tell
    });
    var frame = document.createElement("iframe");
    frame.title = opened.title;
    frame.name = "sandbox-window";
    frame.setAttribute("data-testid", "sandbox-window");
    set(frame, { display: "block", width: "100%", height: "100%", border: "0", background: "transparent" });
    frame.src = sandbox + opened.path;
    dialog.appendChild(frame);
    return { dialog: dialog, frame: frame };
  }

  function showOverPage(opened, done) {
    var shown = overlay(opened);
    shown.dialog.addEventListener("close", function () {
      if (shown.dialog.isConnected) shown.dialog.showModal(); // browsers end a modal at the second Escape
    });
    function hear(event) {
      var told = event.data;
      if (event.origin !== sandbox || event.source !== shown.frame.contentWindow) return;
      if (!told || told.sandbox !== "payment-window" || told.window_id !== opened.window_id) return;
      window.removeEventListener("message", hear);
      shown.dialog.remove();
      done(told.callback);
    }
    window.addEventListener("message", hear);
    document.body.appendChild(shown.dialog);
    shown.dialog.showModal();
    shown.frame.focus();
  }

  function open(param) {
    return fetch(sandbox + "/v1/windows", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify({ code: merchantCode, mobile: isMobile(), param: param })
    }).then(function (response) {
      if (!response.ok) throw new Error("HTTP " + response.status);
      return response.json();
    });
  }

  function requestPay(param, callback) {
    function done(result) {
      busy = false;
      if (typeof callback === "function") callback(result);
    }
    if (busy) return;
    busy = true;
    if (!param || typeof param !== "object") {
      done(failure(param, "F400", "param is missing"));
      return;
    }
    open(param).then(
      function (answer) {
        if (answer.refused) done(answer.refused);
        else if (answer.window.redirects) window.location.assign(sandbox + answer.window.path);
        else showOverPage(answer.window, done);
      },
      function () {
        done(failure(param, "F500", "The payment window of the sandbox could not be opened."));
      }
    );
  }

  // Back from a redirect may show this page as it was left: with a window that is gone.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) busy = false;
  });

  window.IMP = {
    init: function (code) {
      merchantCode = typeof code === "string" ? code : null;
    },
    request_pay: requestPay
  };
})();
