// The page: what is drawn goes to the server, what the network makes of it is shown.

import { Bars } from "./bars.js";
import { grey, largest, paint, plain } from "./colours.js";
import { Layer } from "./layer.js";
import { NeuronPanel } from "./neuron.js";
import { Paper } from "./paper.js";

const QUIET = 500; // milliseconds without a change after which a screen reader is told
const $ = (id) => document.getElementById(id);

let paper, bars, layers, panel, facts;
let answer = null;
let isAsking = false; // one question at a time; the latest is asked next
let isStale = false;
let quiet = null;
let nextExample = 0;

async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, body && { method: "POST", body });
  } catch {
    throw new Error("The server does not answer. Was it ended? Start it again and reload the page.");
  }
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// Runs what may fail; what went wrong stands on top of the page until something goes well.
async function tried(work) {
  try {
    await work();
    $("problem").textContent = "";
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

function say(text) {
  $("said").textContent = text;
}

async function changed() {
  isStale = true;
  if (isAsking) return;
  isAsking = true;
  await tried(async () => {
    while (isStale) {
      isStale = false;
      const example = paper.example;
      show(example ? example.answer : await ask("api/drawing", paper.bytes()), example);
    }
  });
  isAsking = false;
}

function show(latest, example) {
  answer = latest;
  const outputs = answer.layers.at(-1) ?? []; // of a blank paper there are none
  const columns = facts.shape[1];
  paint($("input"), answer.input, columns, grey);
  layers.forEach((layer, i) => layer.show(answer.layers[i] ?? []));
  panel.refresh(answer);
  const bounded = ["sigmoid", "softmax", "tanh"].includes(facts.output);
  bars.show(outputs, outputs.map(outputText), bounded ? 1 : largest(outputs), answer.prediction);
  const name = answer.prediction === null ? "?" : facts.classes[answer.prediction];
  $("prediction").textContent = name;
  $("prediction").classList.toggle("long", name.length > 2);
  $("outputs-note").textContent = noteOf(outputs);
  showTruth(example);
  clearTimeout(quiet);
  quiet = setTimeout(() => say(summary(example)), QUIET);
}

function outputText(value) {
  return facts.output === "softmax" ? `${(100 * value).toFixed(1)} %` : plain(value);
}

function noteOf(outputs) {
  if (!outputs.length) return "Nothing is drawn, so there is no answer.";
  if (facts.output === "softmax") return "Softmax outputs are probabilities: they add up to 100 %.";
  const sum = plain(outputs.reduce((a, b) => a + b, 0), 2);
  if (facts.output === "sigmoid") {
    return "Each output lies between 0 and 1 by itself. They are no probabilities and are shown as " +
      `they are, not normalised: now they add up to ${sum}.`;
  }
  return `${facts.output} outputs as they are; they are no probabilities. The largest decides.`;
}

function showTruth(example) {
  if (!example) {
    $("truth").textContent = "";
    return;
  }
  const { number, of, label, prediction } = example.answer;
  const right = label === prediction ? "right" : "wrong";
  $("truth").textContent = `Validation image ${(number + 1).toLocaleString("en")} of ` +
    `${of.toLocaleString("en")}: it is ${facts.classes[label]}; the network is ${right}.`;
}

function summary(example) {
  if (answer.prediction === null) return "Nothing is drawn";
  const value = outputText(answer.layers.at(-1)[answer.prediction]);
  const kind = facts.output === "softmax" ? "probability" : "activation";
  const said = `It says ${facts.classes[answer.prediction]}, ${kind} ${value}.`;
  return example ? `${said} ${$("truth").textContent}` : said;
}

// The next of "examples", the validation images, or of "mistakes", those that it gets wrong.
async function showNext(kind) {
  await tried(async () => {
    const latest = await ask(`api/${kind}/${nextExample}`);
    nextExample = (latest.number + 1) % latest.of;
    const picture = document.createElement("canvas");
    paint(picture, latest.input, facts.shape[1], grey);
    paper.showExample({ answer: latest, picture });
  });
}

function describe() {
  const digits = facts.classes.every((name) => /^\d$/.test(name));
  $("heading").textContent = digits ? "Draw a digit" : "Draw a picture";
  document.title = `${$("heading").textContent} · ${facts.name}`;
  const percent = facts.accuracy === null ? "" :
    ` · ${(100 * facts.accuracy).toFixed(1)} % of the ${facts.monitor} images right`;
  $("about").textContent = `${facts.name} · trained on ${facts.dataset} · ${facts.sizes.join("-")} ` +
    `neurons${percent}`;
  $("framing").textContent = facts.framing;
  $("outputs-heading").textContent = facts.output === "softmax" ? "Probabilities" : "Output activations";
  if (!digits) $("keys").before(hintOf(`It knows: ${facts.classes.join(", ")}.`));
}

function hintOf(text) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = text;
  return hint;
}

async function start() {
  facts = await ask("api/network");
  describe();
  bars = new Bars($("outputs"), facts.classes);
  panel = new NeuronPanel($("neuron"), facts, ask);
  layers = facts.sizes.slice(1, -1).map((size, i) => new Layer($("hidden"), {
    number: i + 1, size, activation: facts.activation, chosen,
  }));
  $("neuron").hidden = !layers.length;
  $("pen").value = facts.pen;
  paper = new Paper($("paper"), { side: facts.side, pen: facts.pen, changed, say });
  $("clear").addEventListener("click", () => paper.clear());
  $("undo").addEventListener("click", () => paper.undo());
  $("next").addEventListener("click", () => showNext("examples"));
  $("mistake").addEventListener("click", () => showNext("mistakes"));
  $("pen").addEventListener("input", () => { paper.pen = Number($("pen").value); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z") {
      event.preventDefault();
      paper.undo();
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    paper.show();
    panel.draw();
  });
  await changed();
}

function chosen(layer, index) {
  layers.forEach((one) => one.mark(one.number === layer ? index : null));
  tried(() => panel.show(layer, index));
}

tried(start);
