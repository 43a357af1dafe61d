// The elements of the page.

import { text } from './texts.js';

export const byId = (id) => document.getElementById(id);

/** A new element with properties and children; texts are never read as HTML. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Shows a text, or hides the element where there is none. */
export function show(target, shown) {
  target.textContent = shown ?? '';
  target.hidden = !shown;
}

/** A term and what it is, for a description list. */
export function fact(term, ...description) {
  return element('div', {}, element('dt', { textContent: term }), element('dd', {}, ...description));
}

/** Shows what went wrong in plain words, with a way to try again if there is one. */
export function showError(target, error, retry) {
  const parts = [element('p', { textContent: error.plain })];
  if (error.detail) {
    parts.push(element('p', { className: 'detail', textContent: text('details', { detail: error.detail }) }));
  }
  if (retry) {
    const again = element('button', { type: 'button', textContent: text('retry') });
    again.addEventListener('click', () => {
      target.hidden = true;
      retry();
    });
    parts.push(again);
  }
  // The alert is read out when its content changes while it is shown.
  target.hidden = false;
  target.replaceChildren(...parts);
}

/** Tells those who listen to the page. */
export function announce(words) {
  byId('announcement').textContent = words;
}
