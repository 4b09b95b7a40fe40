"use strict";
// The verify page: three files and the verifier, all in this document. Nothing is fetched, nothing is sent, and nothing is kept
// between two checks. Text is set as text, never as markup, so that what somebody recorded cannot act here.
const WORDS = {
  zh: { title: "核验证明", what: "本页在您的浏览器中核验证明文件,不上传任何内容,断网亦可使用:将本页另存为一个文件即可。", root: "一、信任根(必填)", rootWhy: "该链的创世文件。只能来自本单位,绝不能由出示证明的人提供;本页绝不从节点获取。", proof: "二、证明(必填)", document: "三、文件(可选)",
    pick: "选择文件,或拖到此处:", pickProof: "选择一个或多个文件(二进制、文本或二维码分段均可),或拖到此处:", paste: "或粘贴文字", rootText: "信任根全文", proofText: "证明的文本形式,或依次扫描的二维码内容", more: "证照在某一时点的状态", at: "时间(如 2026-11-23T09:00:00+08:00)", go: "核验", clear: "清除",
    foot: "本页的安全策略禁止一切网络请求。核验程序与命令 minlian verify 相同;本页本身是否可信,取决于您从何处取得:请保存本单位发布的一份。",
    step: "步骤", result: "结果", code: "代码", passed: "成立", failed: "不成立", "not-evaluated": "未作判断", plain: "命令行显示的全文", every: "全部哈希", save: "保存回答 (JSON)", print: "打印", bytes: "字节", pasted: "粘贴的文字",
    broken: "无法核验", brokenWhy: "核验程序未能给出回答。既未证实也未证伪;请改用命令 minlian verify。", missing: "本页未包含核验程序:构建节点的机器缺少 wasm32-unknown-unknown 目标。请使用命令 minlian verify。" },
  en: { title: "Check a proof", what: "This page checks proof files in your browser. Nothing is uploaded, and no network is needed: save the page as one file and open it anywhere.", root: "1. Trust root (needed)", rootWhy: "The genesis file of the chain. It comes from your agency, never from the person presenting the proof; this page takes none from a node.", proof: "2. Proof (needed)", document: "3. Document (if you have it)",
    pick: "Choose the file, or drop it here:", pickProof: "Choose one file or several (binary, text, or the parts of QR codes), or drop them here:", paste: "Or paste text", rootText: "The whole trust root", proofText: "The proof as text, or what QR codes say, one after the other", more: "Where a licence stood at a time", at: "Time (such as 2026-11-23T09:00:00+08:00)", go: "Check", clear: "Clear",
    foot: "This page's policy forbids every request. The verifier is that of the command minlian verify; whether the page itself is to be trusted depends on where you took it from: keep one that your agency publishes.",
    step: "Step", result: "What was found", code: "Code", passed: "holds", failed: "does not hold", "not-evaluated": "not evaluated", plain: "The whole answer, as the command prints it", every: "Every hash", save: "Save the answer (JSON)", print: "Print", bytes: "bytes", pasted: "pasted text",
    broken: "CANNOT CHECK", brokenWhy: "The verifier gave no answer. Nothing was proven or disproven; use the command minlian verify instead.", missing: "This page has no verifier in it: the machine that built the node lacks the target wasm32-unknown-unknown. Use the command minlian verify." },
};
const PARTS = { proof: 0, root: 1, document: 2, asked: 3 };
let language = (navigator.languages || [navigator.language]).some((one) => /^zh/i.test(one)) ? "zh" : "en";
const say = (name) => WORDS[language][name] || name;
const at = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};
// What was brought: for each part its name and its bytes, or nothing.
const brought = { root: null, proof: null, document: null };
// The most of a file that is read, as the verifier has it: one byte more than it takes, so that it says what is too long.
const most = {};
let verifier = null, last = null, turn = 0;
async function load() {
  const text = at("verifier").textContent.trim();
  if (text === "") return;
  verifier = await WebAssembly.compile(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  const { exports } = await WebAssembly.instantiate(verifier, {});
  for (const [part, number] of Object.entries(PARTS)) most[part] = exports.most(number);
}
// A new instance for every check: nothing of an earlier one is left, and one that trapped is gone.
async function verify(lang, when) {
  const { exports } = await WebAssembly.instantiate(verifier, {});
  const asked = { lang: lang === "zh" ? "zh-CN" : "en" };
  if (when) asked.at = when;
  for (const [part, it] of Object.entries(brought)) if (it) asked[part] = it.name;
  const bring = (part, bytes) => {
    const some = bytes.subarray(0, most[part]);
    const place = exports.room(PARTS[part], some.length);
    new Uint8Array(exports.memory.buffer, place, some.length).set(some);
  };
  for (const [part, it] of Object.entries(brought)) if (it) bring(part, it.bytes);
  bring("asked", new TextEncoder().encode(JSON.stringify(asked)));
  const length = exports.check();
  const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(exports.memory.buffer, exports.answer_at(), length)));
  if (answer.fault) throw new Error(answer.fault);
  return answer;
}
const whole = (text) => make("pre", { tabindex: "0" }, text);
const more = (name, text) => make("details", {}, make("summary", {}, say(name)), whole(text));
function shown(answer) {
  const parts = [make("h2", { class: `word ${answer.mark}` }, answer.word)];
  if (answer.subject) parts.push(make("p", { class: "subject" }, answer.subject));
  if (answer.steps.length) {
    const head = make("tr", {}, ...["", "step", "result", "code"].map((name) => make("th", { scope: "col" }, name ? say(name) : "#")));
    const row = (step, n) => make("tr", {}, make("td", {}, `${n + 1} `, make("span", { class: step.mark, role: "img", "aria-label": say(step.mark) }, step.sign)), make("th", { scope: "row" }, step.title), make("td", { class: "lines" }, step.text), make("td", {}, make("code", {}, step.code || "")));
    parts.push(make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...answer.steps.map(row)))));
  }
  for (const [head, sentences] of answer.meaning) parts.push(make("h3", {}, head), ...sentences.map((one) => make("p", { class: "lines" }, one)));
  if (answer.reason) parts.push(make("p", { class: "lines" }, answer.reason));
  if (answer.code) parts.push(make("p", {}, make("code", {}, answer.code)));
  if (answer.foot) parts.push(make("p", {}, answer.foot));
  const save = make("a", { download: "answer.json", href: `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(answer.json, null, 2))}` }, say("save"));
  const print = make("button", { type: "button" }, say("print"));
  print.addEventListener("click", () => window.print());
  parts.push(make("p", { class: "noprint" }, save, " ", print), more("plain", answer.text));
  if (answer.explanation) parts.push(more("every", answer.explanation));
  return parts;
}
function refused(why) {
  return [make("h2", { class: "word not-evaluated" }, say("broken")), make("p", {}, say("brokenWhy")), make("p", {}, make("code", {}, why))];
}
async function check() {
  const mine = ++turn;
  let parts;
  try {
    last = await verify(language, at("at").value.trim());
    parts = shown(last);
  } catch (error) {
    last = null;
    parts = refused(String(error.message || error));
  }
  if (mine === turn) at("answer").replaceChildren(...parts);
}
function show() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-say]").forEach((element) => { element.textContent = say(element.dataset.say); });
  document.title = `${say("title")} · 闽链 Minlian`;
  at("language").textContent = language === "zh" ? "English" : "中文";
  at("language").lang = language === "zh" ? "en" : "zh-CN";
  for (const [part, it] of Object.entries(brought)) at(`${part}-name`).textContent = it ? `${it.name} · ${it.bytes.length} ${say("bytes")}` : "";
  at("go").disabled = !(verifier && brought.root && brought.proof);
}
// An answer is about what was brought when it was asked for; when that changes, it goes.
function bring(part, it) {
  brought[part] = it;
  turn += 1;
  last = null;
  at("answer").replaceChildren();
  show();
}
async function read(part, files) {
  const all = part === "proof" ? [...files] : [...files].slice(0, 1);
  if (all.length === 0) return;
  const each = await Promise.all(all.map(async (file) => new Uint8Array(await file.slice(0, most[part]).arrayBuffer())));
  // Several are the parts of one proof, one after the other on lines of their own.
  const bytes = new Uint8Array(each.reduce((sum, one) => sum + one.length + 1, -1));
  let place = 0;
  for (const one of each) { if (place) bytes[place - 1] = 10; bytes.set(one, place); place += one.length + 1; }
  bring(part, { name: all.map((file) => file.name).join(", "), bytes });
}
for (const part of ["root", "proof", "document"]) at(`${part}-file`).addEventListener("change", (event) => read(part, event.target.files));
for (const part of ["root", "proof"]) {
  at(`${part}-text`).addEventListener("input", (event) => {
    const text = event.target.value;
    at(`${part}-file`).value = "";
    bring(part, text.trim() ? { name: say("pasted"), bytes: new TextEncoder().encode(text) } : null);
  });
}
// Dropped beside the three places it opens nothing: a browser would leave the page.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const place = event.target instanceof Element ? event.target.closest("[data-part]") : null;
  if (!place) return;
  at(`${place.dataset.part}-file`).value = "";
  read(place.dataset.part, event.dataTransfer.files);
});
at("at").addEventListener("input", () => bring("document", brought.document));
at("brought").addEventListener("submit", (event) => { event.preventDefault(); check().then(() => at("answer").focus()); });
at("brought").addEventListener("reset", () => { for (const part of Object.keys(brought)) bring(part, null); });
at("language").addEventListener("click", () => {
  const again = last !== null;
  language = language === "zh" ? "en" : "zh";
  show();
  if (again) check();
});
load().then(() => {
  show();
  if (!verifier) at("answer").replaceChildren(make("p", { role: "alert" }, say("missing")));
}).catch((error) => at("answer").replaceChildren(...refused(String(error.message || error))));
show();
