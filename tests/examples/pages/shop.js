// From the form to the payment window and back. The server asks PortOne itself: nothing that is said here counts.
const form = document.getElementById("checkout");

function say(sentence, { ready }) {
  document.getElementById("said").textContent = sentence;
  form.querySelector("button").disabled = !ready;
}

async function post(step, fields) {
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  const answer = await fetch(form.dataset.address + step, { method: "POST", body });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function complete(told) {
  for (let asked = 0; asked < 10; asked += 1) {
    const { progress, message } = await post("/complete", { imp_uid: told.imp_uid || "" });
    if (progress === "done") return window.location.reload();
    if (progress !== "waiting" || told.success === false) {
      return say(message || told.error_msg || "Nothing was paid.", { ready: true });
    }
    await new Promise((resume) => { setTimeout(resume, 2000); });
  }
  return say("We do not know yet how this ended. You need not pay again: look again in a few minutes.", { ready: false });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const failed = (error) => say(error.message, { ready: true });
  say("One moment, please ...", { ready: false });
  try {
    const parameters = await post("/agree", {});
    window.IMP.init(form.dataset.merchant);
    window.IMP.request_pay(parameters, (told) => { complete(told || {}).catch(failed); });
  } catch (error) {
    failed(error);
  }
});
