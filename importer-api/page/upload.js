// Choosing or dropping a file, its way to the service, and a look at it before
// it is billed.

import { ApiError, bill, preview } from './api.js';
import { announce, byId, showError } from './elements.js';
import { showPreview } from './preview.js';
import { percent, rows, size, text } from './texts.js';

const STEPS = ['choose', 'running', 'chosen'];

/** `onAccepted` is given the answer to each file that is billed. */
export function uploadForm(onAccepted) {
  const input = byId('file');
  const drop = byId('drop');
  const failure = byId('upload-error');
  let seen = null;
  let running = null;

  const step = (current) => {
    for (const name of STEPS) byId(`upload-${name}`).hidden = name !== current;
  };

  const look = async (file) => {
    running = new AbortController();
    failure.hidden = true;
    byId('upload-running-name').textContent = text('upload_running', { name: file.name });
    progress(0, file.size);
    step('running');
    byId('upload-stop').focus();
    announce(text('upload_begun', { name: file.name }));
    try {
      seen = await preview(file, progress, running.signal);
      byId('chosen-name').textContent = file.name;
      byId('chosen-size').textContent = size(file.size);
      announce(showPreview(seen));
      step('chosen');
      byId(seen.rows.valid ? 'upload-start' : 'upload-other').focus();
    } catch (error) {
      reset();
      input.focus();
      if (error instanceof ApiError) showError(failure, error, () => look(file));
      else announce(text('upload_stopped'));
    }
  };

  const start = async () => {
    const button = byId('upload-start');
    button.disabled = true;
    failure.hidden = true;
    try {
      const accepted = await bill(seen.preview_id);
      reset();
      announce(text('upload_accepted', { rows: rows(accepted.rows) }));
      onAccepted(accepted);
    } catch (error) {
      showError(failure, error);
    } finally {
      button.disabled = false;
    }
  };

  const reset = () => {
    seen = null;
    step('choose');
  };

  input.addEventListener('change', () => {
    if (input.files.length) look(input.files[0]);
    // Otherwise the same file, once corrected, would be no change.
    input.value = '';
  });
  byId('upload-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (seen?.rows.valid) start();
  });
  byId('upload-stop').addEventListener('click', () => running.abort());
  byId('upload-other').addEventListener('click', () => {
    reset();
    failure.hidden = true;
    input.focus();
    input.click();
  });

  // A file that misses the zone must not replace the page.
  for (const name of ['dragover', 'drop']) {
    addEventListener(name, (event) => event.preventDefault());
  }
  drop.addEventListener('dragover', () => drop.classList.add('over'));
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    drop.classList.remove('over');
    const { files } = event.dataTransfer;
    if (!byId('upload-running').hidden || files.length === 0) return;
    if (files.length > 1) showError(failure, { plain: text('upload_one') });
    else look(files[0]);
  });
  addEventListener('beforeunload', (event) => {
    if (!byId('upload-running').hidden) event.preventDefault();
  });
}

function progress(sent, total) {
  const share = total ? sent / total : 1;
  const bar = byId('upload-progress');
  bar.value = share;
  byId('upload-figures').textContent = share < 1
    ? text('upload_figures', { percent: percent(share), sent: size(sent), total: size(total) })
    : text('upload_checking');
}
