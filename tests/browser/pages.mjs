// Every page of a live node in a real browser: no console error, no request that leaves the node, no fault of accessibility, and
// the verify page from a file with no network. Screenshots are for people to look at.
//
//   npm install --prefix DIR puppeteer-core axe-core; NODE_PATH=DIR/node_modules node tests/browser/pages.mjs \
//     --node http://127.0.0.1:28001 --chromium /usr/bin/chromium --root genesis.toml --proof FILE.proof --document FILE --out SHOTS
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const require = createRequire(`${process.env.NODE_PATH || process.cwd()}/`);
const puppeteer = require("puppeteer-core").default || require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const names = ["node", "chromium", "root", "proof", "document", "out", "record", "subject", "lot"];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: "string" }])) });
const { node, chromium = "/usr/bin/chromium", out } = values;
mkdirSync(out, { recursive: true });

const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
const faults = [];
let shots = 0;

async function open(url, language) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1100, height: 900 });
  await page.evaluateOnNewDocument((language) => {
    Object.defineProperty(navigator, "languages", { get: () => [language] });
  }, language);
  page.on("console", (said) => { if (["error", "warn"].includes(said.type())) faults.push(`${url}: console: ${said.text()}`); });
  page.on("pageerror", (error) => faults.push(`${url}: ${error}`));
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(`${node}/`) && !to.startsWith("data:") && to !== url) faults.push(`${url}: asked ${to}`);
  });
  await page.goto(url, { waitUntil: "networkidle0" });
  return page;
}

async function keep(page, name) {
  // The policy of a page lets no script of others in, so the rules are run from outside of it.
  const { violations } = await (await page.mainFrame().isolatedRealm?.() ?? page).evaluate(`${axe}; axe.run(document)`);
  for (const { id, nodes } of violations) faults.push(`${name}: accessibility: ${id}: ${nodes.map((one) => one.html).join(" ").slice(0, 300)}`);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  shots += 1;
}

for (const language of ["zh-CN", "en"]) {
  const views = { network: "/", blocks: "/#/blocks", block: "/#/block/2", records: "/#/records", agencies: "/#/agencies", docs: "/docs" };
  if (values.record) views.record = `/#/record/${values.record}`;
  if (values.subject) views.subject = `/#/subject/${encodeURIComponent(values.subject)}`;
  if (values.lot) views.lot = `/#/subject/${encodeURIComponent(values.lot)}`;
  for (const [name, path] of Object.entries(views)) {
    const page = await open(node + path, language);
    await keep(page, `${name}.${language}`);
    await page.close();
  }

  // The verify page, from the node and then from a file with the network gone.
  const saved = resolve(out, "verify.html");
  writeFileSync(saved, await (await fetch(`${node}/verify`)).text());
  for (const [where, url] of [["node", `${node}/verify`], ["file", `file://${saved}`]]) {
    const page = await open(url, language);
    await page.setOfflineMode(true);
    page.on("request", (request) => { if (!request.url().startsWith("data:")) faults.push(`${where}: asked ${request.url()}`); });
    if (where === "node") await keep(page, `verify.${language}`);
    const bring = async (part, file) => (await page.$(`#${part}-file`)).uploadFile(file);
    const answered = async (mark, name) => {
      await page.click("#go");
      await page.waitForSelector(`#answer .word.${mark}`, { timeout: 20000 }).catch(() => faults.push(`${where}: no ${mark}: ${name}`));
      await keep(page, `${name}.${where}.${language}`);
    };
    if (!(await page.$eval("#go", (button) => button.disabled))) faults.push(`${where}: asks before there is anything to check`);
    await bring("root", values.root);
    await bring("proof", values.proof);
    await bring("document", values.document);
    await page.waitForSelector("#go:not([disabled])");
    await answered("passed", "verify-proven");
    // Another document, dropped as people drop it.
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(["another"], "another.txt"));
      document.querySelector('[data-part="document"]').dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    });
    await page.waitForFunction(() => document.getElementById("document-name").textContent.startsWith("another.txt"));
    if (await page.$("#answer .word")) faults.push(`${where}: an answer outlived what it was about`);
    await answered("failed", "verify-document");
    // What is no proof, and what is pasted.
    await page.$eval("#proof-text", (area) => { area.closest("details").open = true; });
    await page.type("#proof-text", "hello");
    await answered("not-evaluated", "verify-nothing");
    await page.close();
  }
}
await browser.close();
console.log(JSON.stringify({ shots, faults }, null, 1));
process.exit(faults.length ? 1 : 0);
