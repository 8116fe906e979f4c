// Security keys (WebAuthn) on forms with data-security-key="get" or "create": asks the browser
// what the portal wants to know, and sends the answer as the form's field "credential".

const toBytes = (text) => {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
};

const toText = (buffer) => {
  let plain = "";
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const withBytes = (credentials) =>
  (credentials ?? []).map((credential) => ({ ...credential, id: toBytes(credential.id) }));

const answers = {
  async get(options) {
    const found = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: toBytes(options.challenge),
        allowCredentials: withBytes(options.allowCredentials),
      },
    });
    const { authenticatorData, clientDataJSON, signature, userHandle } = found.response;
    return {
      ...named(found),
      response: {
        authenticatorData: toText(authenticatorData),
        clientDataJSON: toText(clientDataJSON),
        signature: toText(signature),
        userHandle: userHandle ? toText(userHandle) : null,
      },
    };
  },
  async create(options) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: toBytes(options.challenge),
        user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: withBytes(options.excludeCredentials),
      },
    });
    const { attestationObject, clientDataJSON } = made.response;
    return {
      ...named(made),
      response: {
        attestationObject: toText(attestationObject),
        clientDataJSON: toText(clientDataJSON),
        transports: made.response.getTransports?.() ?? [],
      },
    };
  },
};

const named = (credential) => ({
  id: credential.id,
  rawId: toText(credential.rawId),
  type: credential.type,
  clientExtensionResults: credential.getClientExtensionResults(),
});

const prepare = (form) => {
  const button = form.querySelector("[data-key-button]");
  const problem = form.querySelector("[data-key-problem]");
  const say = (text) => {
    problem.querySelector("p").textContent = text;
    problem.hidden = !text;
  };
  form.querySelector("[data-key-without]").remove();
  if (!window.PublicKeyCredential) {
    say(form.dataset.unsupported);
    return;
  }
  button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    button.disabled = true;
    try {
      const { publicKey } = JSON.parse(form.dataset.question);
      const answer = await answers[form.dataset.securityKey](publicKey);
      form.elements.credential.value = JSON.stringify(answer);
      form.submit();
    } catch {
      // Refused, timed out or taken away: browsers do not say which, on purpose.
      say(form.dataset.refused);
      button.disabled = false;
    }
  });
};

document.querySelectorAll("[data-security-key]").forEach(prepare);
