// The page of the API: sends what is filled in, and shows what is answered.

const credential = document.getElementById("credential");
const shown = 100_000;
document.getElementById("credential-form").addEventListener("submit", (event) => event.preventDefault());

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = form.querySelector(".answer");
    const tell = (head, body) => {
      const words = document.createElement("p");
      words.textContent = head;
      answer.replaceChildren(words);
      if (!body) return;
      const text = document.createElement("pre");
      text.className = "code";
      text.tabIndex = 0;
      text.setAttribute("aria-label", "What was answered");
      text.textContent = body.length > shown ? `${body.slice(0, shown)}\n… and ${body.length - shown} characters more` : body;
      answer.append(text);
    };
    let path = form.dataset.path;
    const query = new URLSearchParams();
    for (const field of form.querySelectorAll("input[data-in]")) {
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
      else if (field.value) query.append(field.name, field.value);
    }
    const headers = {};
    if ("guarded" in form.dataset) {
      if (!credential.value) { credential.focus(); tell("The admin credential is needed; fill it in at the top of the page."); return; }
      headers.authorization = `Bearer ${credential.value.trim()}`;
    }
    const body = form.querySelector("textarea")?.value.trim();
    if (body) {
      try { JSON.parse(body); } catch (error) { tell(`What is to be sent is no JSON: ${error.message}`); return; }
      headers["content-type"] = "application/json";
    }
    tell("Sent; waiting for an answer.");
    const began = performance.now();
    try {
      const got = await fetch(query.size ? `${path}?${query}` : path, { method: form.dataset.method, headers, body: body || undefined, credentials: "omit", redirect: "error" });
      const text = await got.text();
      let read = text;
      try { read = JSON.stringify(JSON.parse(text), null, 2); } catch { /* It is no JSON. */ }
      tell(`${got.status} ${got.statusText}, after ${Math.round(performance.now() - began)} ms`, read);
    } catch (error) {
      tell(`Nothing was answered: ${error.message}`);
    }
  });
}
