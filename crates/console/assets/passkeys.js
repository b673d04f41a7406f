// Forms that bring a passkey: the browser is asked for one when the form is sent, and the form goes with what it says.

const encoded = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decoded = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const listed = (text) => (text ?? "").split(" ").filter(Boolean);

/** A new passkey for whoever is signed in. */
async function made({ dataset }) {
  const made = await navigator.credentials.create({ publicKey: {
    challenge: new TextEncoder().encode(dataset.challenge),
    rp: { id: dataset.host, name: "Stillwatch" },
    user: { id: decoded(dataset.handle), name: dataset.name, displayName: dataset.name },
    pubKeyCredParams: listed(dataset.algorithms).map((alg) => ({ type: "public-key", alg: Number(alg) })),
    excludeCredentials: listed(dataset.known).map((id) => ({ type: "public-key", id: decoded(id) })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  } });
  const said = made.response;
  return {
    id: made.id, client_data: encoded(said.clientDataJSON), authenticator_data: encoded(said.getAuthenticatorData()),
    key: encoded(said.getPublicKey()), algorithm: said.getPublicKeyAlgorithm(),
  };
}

/** What a passkey says that there is already. */
async function shown({ dataset }) {
  const shown = await navigator.credentials.get({ publicKey: {
    challenge: new TextEncoder().encode(dataset.challenge), rpId: dataset.host, userVerification: "required",
  } });
  const said = shown.response;
  return {
    id: shown.id, client_data: encoded(said.clientDataJSON), authenticator_data: encoded(said.authenticatorData),
    signature: encoded(said.signature),
  };
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  const tell = form.querySelector("[role=alert]");
  let filled = false;
  form.addEventListener("submit", async (event) => {
    if (filled) return;
    event.preventDefault();
    tell.textContent = "";
    try {
      const fields = await (form.dataset.passkey === "new" ? made(form) : shown(form));
      for (const [name, value] of Object.entries({ challenge: form.dataset.challenge, ...fields })) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name, value });
        form.append(field);
      }
      filled = true;
      form.requestSubmit();
    } catch (error) {
      const known = { NotAllowedError: "There was no passkey, or it took too long.", InvalidStateError: "This device has a passkey here already." };
      tell.textContent = known[error.name] ?? `That did not work: ${error.message}`;
    }
  });
}
