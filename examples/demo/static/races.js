// Fires requests that overlap, and shows what is left in the session afterwards.
"use strict";

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function post(lane, path, fields) {
  const answer = await fetch(lane.dataset.url + path, {
    method: "POST",
    body: new URLSearchParams(fields),
  });
  if (!answer.ok) throw new Error(`the answer to ${path} was ${answer.status}`);
}

async function state(lane) {
  const answer = await fetch(lane.dataset.url + "state", { cache: "no-store" });
  if (!answer.ok) throw new Error(`the answer to state was ${answer.status}`);
  return answer.json();
}

function tell(lane, outcome, figure, said) {
  lane.dataset.outcome = outcome;
  lane.querySelector(".figure").textContent = figure;
  lane.querySelector(".said").textContent = said;
}

async function lines(lane, button) {
  const count = Number(button.dataset.lines);
  const cells = [...lane.querySelectorAll(".lines li")];
  for (const cell of cells) cell.className = "";
  tell(lane, "running", "…", "under way");
  await post(lane, "lines/clear");
  await Promise.all(cells.map((_, at) => post(lane, "lines/add", { line: at + 1 })));
  const kept = new Set((await state(lane)).lines);
  for (const [at, cell] of cells.entries()) cell.className = kept.has(at + 1) ? "kept" : "lost";
  const lost = count - kept.size;
  const said = lost ? `are there; ${lost} lost` : "are there, none lost";
  tell(lane, lost ? "bad" : "good", `${kept.size} of ${count}`, said);
}

async function leaving(lane) {
  const steps = lane.querySelector(".steps");
  const began = performance.now();
  const step = (text) => {
    const item = steps.appendChild(document.createElement("li"));
    item.textContent = `${((performance.now() - began) / 1000).toFixed(1)} s  ${text}`;
  };
  steps.replaceChildren();
  tell(lane, "running", "…", "under way");
  await post(lane, "sign-in");
  step(`signed in as ${(await state(lane)).name}`);
  const slow = post(lane, "slow").then(() => step("the slow answer arrived"));
  step("a slow request started");
  await pause(700);
  await post(lane, "sign-out");
  step((await state(lane)).name === null ? "logged out" : "not logged out");
  await slow;
  const { name } = await state(lane);
  if (name === null) tell(lane, "good", "Logged out", "and it stays so");
  else tell(lane, "bad", "Signed in again", `as ${name}, by the slow answer`);
}

// The header and the panel, as the server shows them now.
async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of [".who", "#panel", ".held"]) {
    const fresh = page.querySelector(part);
    if (fresh) document.querySelector(part)?.replaceWith(fresh);
  }
}

const races = { lines, leaving };
const buttons = [...document.querySelectorAll("[data-race]")];

for (const button of buttons) {
  button.addEventListener("click", async () => {
    const lanes = document.querySelectorAll(`[data-lane="${button.dataset.race}"]`);
    for (const each of buttons) each.disabled = true;
    // One after the other: each is to have all the connections that the browser opens.
    for (const lane of lanes) {
      try {
        await races[button.dataset.race](lane, button);
      } catch (error) {
        tell(lane, "bad", "Failed", error.message);
      }
    }
    await refresh().catch(() => {});
    for (const each of buttons) each.disabled = false;
    button.focus();
  });
}

const list = document.querySelector("[data-events]");
let latest = 0;

function show(event) {
  const top = list.firstElementChild;
  const key = [event.name, event.session, event.why].join(" ");
  if (top?.dataset.key === key) {
    top.dataset.times = Number(top.dataset.times) + 1;
    top.querySelector(".times").textContent = `×${top.dataset.times}`;
    return;
  }
  const item = document.createElement("li");
  Object.assign(item.dataset, { key, times: 1, name: event.name });
  for (const [name, text] of [
    ["name", event.name],
    ["times", ""],
    ["why", event.why],
    ["where", `${event.time}  ${event.session}`],
  ]) {
    const part = item.appendChild(document.createElement("span"));
    part.className = name;
    part.textContent = text;
  }
  list.prepend(item);
  while (list.children.length > 50) list.lastElementChild.remove();
}

async function follow() {
  for (;;) {
    if (!document.hidden) {
      try {
        const answer = await fetch(`${list.dataset.events}?after=${latest}`, { cache: "no-store" });
        for (const event of await answer.json()) {
          latest = event.number;
          show(event);
        }
      } catch {
        // The server is away; the next turn tries again.
      }
    }
    await pause(700);
  }
}

if (list) follow();
