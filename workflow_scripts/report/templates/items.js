"use strict";
// The filters of the page: an item is displayed if it is of the task and has the outcome for the model.

const [task, model, outcome] = ["task", "model", "outcome"].map((name) => document.getElementById(name));
const items = [...document.querySelectorAll("details.item")];
const lists = new Map(items.map((item) => [item, {
  right: JSON.parse(item.dataset.right),
  wrong: JSON.parse(item.dataset.wrong),
}]));

function matches(item) {
  if (task.value && item.dataset.task !== task.value) return false;
  if (!outcome.value) return true;
  const names = lists.get(item)[outcome.value];
  return model.value ? names.includes(model.value) : names.length > 0;
}

function show() {
  let count = 0;
  for (const item of items) {
    item.hidden = !matches(item);
    if (!item.hidden) count += 1;
  }
  document.getElementById("count").textContent = `${count} of ${items.length} items displayed`;
}

for (const select of [task, model, outcome]) select.addEventListener("change", show);
show();
