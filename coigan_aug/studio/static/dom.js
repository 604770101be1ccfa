// Small things that every page needs: elements, messages to the person, numbers as people write them.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const colour = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;
export const swatch = (rgb) => h("span", { class: "swatch", style: { "--class": colour(rgb) }, "aria-hidden": "true" });
export const count = (number) => Number(number).toLocaleString("en");

let fading = 0;

export function say(text, { bad = false, lasting = bad ? 9000 : 3500 } = {}) {
  const place = $("#said");
  place.textContent = text;
  place.className = bad ? "said bad" : "said";
  clearTimeout(fading);
  fading = setTimeout(() => place.classList.add("gone"), lasting);
}

// Does something that may be refused, and says in words why it was.
export async function trying(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError" || error.status === 409) return undefined;
    say([error.message, error.remedy].filter(Boolean).join("  "), { bad: true });
    if (error.status === undefined) throw error;
    return undefined;
  }
}

export function download(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const later = (wait, work) => {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), wait);
  };
};
