// One hidden neuron: what it looks for, as a picture of its incoming weights, and what it pushes.

import { Bars } from "./bars.js";
import { columnsOf, largest, mixed, paint, plain, scale, signed } from "./colours.js";

const NAMED = 2; // classes that are named on each side

export class NeuronPanel {
  #find;
  #facts;
  #ask;
  #bars;
  #at = null; // { layer, index }
  #weights = null;
  #answer = null;

  constructor(section, facts, ask) {
    this.#find = (id) => section.querySelector(`#${id}`);
    this.#facts = facts;
    this.#ask = ask;
    this.#bars = new Bars(this.#find("pushes"), facts.classes);
  }

  async show(layer, index) {
    this.#at = { layer, index };
    const weights = await this.#ask(`api/neurons/${layer}/${index}`);
    if (this.#at.layer !== layer || this.#at.index !== index) return; // another was chosen since
    this.#weights = weights;
    this.#find("neuron-pictures").hidden = false;
    this.draw();
  }

  // The activations are others now, the weights are not.
  refresh(answer) {
    this.#answer = answer;
    this.#head();
  }

  draw() {
    if (!this.#weights) return;
    this.#head();
    const { layer } = this.#at;
    const { weights, after } = this.#weights;
    const first = layer === 1;
    const columns = first ? this.#facts.shape[1] : columnsOf(this.#facts.sizes[layer - 1]);
    const most = this.#paint(this.#find("incoming"), weights, columns);
    this.#find("incoming-text").textContent = (first
      ? "Looks for: its weight on each pixel"
      : `Its weight on each neuron of hidden layer ${layer - 1}`) + `, up to ±${plain(most, 2)}`;
    this.#drawAfter(layer === this.#facts.sizes.length - 2, after, layer);
  }

  #drawAfter(isLast, after, layer) {
    this.#find("pushes").hidden = !isLast;
    this.#find("outgoing").hidden = isLast;
    if (!isLast) {
      const most = this.#paint(this.#find("outgoing"), after, columnsOf(after.length));
      this.#find("outgoing-text").textContent =
        `Pushes: its weight on each neuron of hidden layer ${layer + 1}, up to ±${plain(most, 2)}`;
      return;
    }
    this.#bars.show(after, after.map((w) => signed(w)), largest(after));
    const order = [...after.keys()].sort((a, b) => after[b] - after[a]);
    const named = (chosen) => chosen.map((i) => this.#facts.classes[i]).join(" and ");
    const up = order.slice(0, NAMED).filter((i) => after[i] > 0);
    const down = order.slice(-NAMED).reverse().filter((i) => after[i] < 0);
    const says = [up.length && `speaks for ${named(up)}`, down.length && `against ${named(down)}`];
    this.#find("outgoing-text").textContent = `When active it ${says.filter(Boolean).join(", ")}`;
  }

  #head() {
    if (!this.#weights) return;
    const { layer, index } = this.#at;
    const value = this.#answer?.layers[layer - 1]?.[index];
    const now = value === undefined ? "" : `activation ${plain(value)}, `;
    this.#find("neuron-heading").textContent = `Neuron ${index} of hidden layer ${layer}`;
    this.#find("neuron-text").textContent = `${now}bias ${signed(this.#weights.bias)}`;
  }

  #paint(canvas, values, columns) {
    const most = largest(values);
    const colours = scale();
    paint(canvas, values, columns, (value) => mixed(colours, value / most));
    return most;
  }
}
