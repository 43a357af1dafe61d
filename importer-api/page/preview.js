// What a file would bill, before it is billed.

import { byId, element, fact } from './elements.js';
import { problemItem } from './rejections.js';
import { day, money, number, text } from './texts.js';

/** Shows a preview, and gives it in a sentence. */
export function showPreview({ rows, amount, due, problems }) {
  const facts = [
    fact(text('preview_bills'), element('strong', { textContent: `${number(rows.valid)} · ${money(amount.sum)}` })),
  ];
  if (due.first) {
    const past = due.past ? ` ${text('preview_past', { count: number(due.past) })}` : '';
    facts.push(fact(text('preview_due'), text('preview_dates', { first: day(due.first), last: day(due.last) }) + past));
  }
  for (const name of ['duplicates', 'conflicts', 'already_billed', 'invalid']) {
    if (rows[name]) facts.push(fact(text(`preview_${name}`), number(rows[name])));
  }
  if (rows.already_billed === null) facts.push(fact(text('preview_already_billed'), text('preview_unknown')));
  byId('preview-facts').replaceChildren(...facts);

  byId('preview-problems').hidden = problems.length === 0;
  byId('preview-problems-title').textContent = rows.invalid + rows.conflicts > problems.length
    ? text('rejections_first', { count: number(problems.length) })
    : text('rejections_title');
  byId('preview-problems-list').replaceChildren(...problems.map(problemItem));

  const button = byId('upload-start');
  const sentence = rows.valid
    ? text(rows.valid === 1 ? 'preview_bill_one' : 'preview_bill', { count: number(rows.valid), sum: money(amount.sum) })
    : text('preview_none');
  button.textContent = sentence;
  button.hidden = rows.valid === 0;
  byId('preview-sure').textContent = text(rows.valid ? 'upload_sure' : 'preview_none');
  return sentence;
}
