// Talks to the studio: JSON, pictures by address, and messages of a JSON head with bytes behind it.

export const ROOT = new URL("api/", document.baseURI);
export const CLIENT = Math.random().toString(36).slice(2);

export class Refused extends Error {
  constructor(status, message, remedy) {
    super(message);
    this.status = status;
    this.remedy = remedy || "";
  }
}

export const address = (path) => new URL(path, ROOT).href;

async function ask(path, options) {
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The studio does not answer.", "Is the command coigan-aug studio still running?");
  }
  if (response.ok) return response;
  let told = { message: response.statusText, remedy: "" };
  try {
    const text = await response.text();
    told = text.startsWith("{") ? JSON.parse(text) : { message: text.trim(), remedy: "" };
  } catch { /* the status says enough */ }
  throw new Refused(response.status, told.message, told.remedy);
}

export const getJson = async (path) => (await ask(path)).json();

export const postJson = async (path, value) =>
  (await ask(path, { method: "POST", body: JSON.stringify(value) })).json();

export async function getMessage(path) {
  return parted(await (await ask(path)).arrayBuffer());
}

export async function postMessage(path, head, parts) {
  return ask(path, { method: "POST", body: joined(head, parts) });
}

// One array: a blob of several would go through the browser's store of blobs, which takes longer than the request.
function joined(head, parts) {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 4 + text.length));
  new DataView(body.buffer).setUint32(0, text.length, true);
  body.set(text, 4);
  let at = 4 + text.length;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

export function parted(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { head, bytes: new Uint8Array(buffer, 4 + length) };
}
