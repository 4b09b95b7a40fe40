"use strict";
// The explorer: everything shown was asked of this node, and nothing is fetched from anywhere else. Text is set as text,
// never as markup, so that what somebody recorded cannot act here.
const WORDS = {
  zh: { skip: "跳到内容", pages: "页面", network: "网络", blocks: "区块", records: "记录", agencies: "部门", docs: "接口文档", verify: "核验证明", search: "查询:区块高度、记录、交易、文件摘要,或 licence:…、item:…、lot:…、agency:…", find: "查询",
    foot: "本页由节点自身提供,不访问外部网站。它说明该节点所见,不是证明;证明请用 minlian verify 离线核验。",
    height: "高度", time: "时间", block: "区块", proposer: "提议者", signatures: "签名数", more: "更多", record: "记录", agency: "部门", what: "事项", subject: "主体", history: "全部历史", status: "状态", owner: "所属", version: "版本",
    healthy: "运行正常", troubled: "有障碍", chain: "链", validators: "验证节点", seat: "席位", reach: "可达", yes: "是", no: "否", self: "本节点", quorum: "法定人数", waiting: "等待中的交易", latest: "最新区块", none: "没有找到", failed: "无法查询", name: "名称", roles: "角色", keys: "密钥", active: "有效", part: "角色", document: "文件摘要", tx: "交易", position: "日志位置", proof: "下载证明文件", graph: "批次关系图", graphText: "关系(文字)", truncated: "图已截断:只显示最近的批次。", all: "全部", item: "政务服务事项", licence: "电子证照", trace: "溯源事件", govern: "治理", list: "专题清单", batch: "批量存证", seed: "种子单元", use: "用证用数", details: "全部字段", committed: "已提交", from: "自", loading: "查询中…", effective: "生效时间", count: "记录数" },
  en: { skip: "Skip to the content", pages: "Pages", network: "Network", blocks: "Blocks", records: "Records", agencies: "Agencies", docs: "API", verify: "Check a proof", search: "Find: a block's height, a record, a transaction, a document's digest, or licence:…, item:…, lot:…, agency:…", find: "Find",
    foot: "Served by the node itself; nothing is fetched from elsewhere. It shows what this node sees and is no proof: check proofs offline with minlian verify.",
    height: "Height", time: "Time", block: "Block", proposer: "Proposer", signatures: "Signatures", more: "More", record: "Record", agency: "Agency", what: "What", subject: "Subject", history: "Complete history", status: "Status", owner: "Owner", version: "Version",
    healthy: "All is well", troubled: "Something stands in the way", chain: "Chain", validators: "Validators", seat: "Seat", reach: "In reach", yes: "yes", no: "no", self: "this node", quorum: "Quorum", waiting: "Transactions that wait", latest: "Latest blocks", none: "Nothing found", failed: "Cannot be asked", name: "Name", roles: "Roles", keys: "Keys", active: "Active", part: "Part", document: "Document digest", tx: "Transaction", position: "Position in the log", proof: "Download the proof file", graph: "The lot's graph", graphText: "The graph in words", truncated: "Cut short: only the nearest lots are drawn.", all: "All", item: "Service items", licence: "E-licences", trace: "Traceability events", govern: "Governance", list: "Lists of items", batch: "Batches of commitments", seed: "Seed units", use: "Uses of licences and data", details: "All fields", committed: "Committed", from: "from", loading: "Asking…", effective: "In effect from", count: "Records" },
};
// In Chinese, what the ledger calls by a name of its own: acts, by the kind of their subject where that matters; where a subject
// stands; its part in a record. In English the name itself is the word. Standings and parts are in the words of `minlian verify`.
const ACTS = {
  item: { publish: "发布", enter: "发布", amend: "变更", revise: "变更", suspend: "暂停", resume: "恢复", cancel: "取消", merge: "合并", split: "拆分", entrust: "委托" },
  licence: { issue: "颁发", renew: "延续", change: "变更", transfer_in: "转入", suspend: "暂扣", resume: "解除暂扣", annul: "撤销", cancel: "注销", revoke: "吊销", transfer_out: "转出", undo_transfer_out: "撤回转出", expire: "失效登记" },
  trace: { object: "对象事件", aggregation: "聚合事件", transaction: "交易事件", transformation: "转化事件", association: "关联事件" },
  list: { publish: "发布", amend: "变更", cancel: "取消" },
  use: { grant: "授权用证", use: "用证", withdraw: "收回授权", access: "调阅数据", transfer: "共享数据", destroy: "销毁数据", register: "登记材料", reuse: "复用材料", retire: "停用材料" },
  govern: { propose: "提案", approve: "同意提案", withdraw: "撤回提案", delegate: "委托职权", undelegate: "收回委托", rotate: "更换密钥" },
};
const STATUSES = {
  active: "有效", suspended: "暂停", annulled: "撤销", cancelled: "取消", transferred_out: "转出", revoked: "吊销", superseded: "已被取代", proposed: "拟登记", enacted: "已通过", expired: "失效", destroyed: "已销毁",
  "item active": "在用", "basic active": "在用", "list active": "在用", "lot active": "有记录", "batch active": "有记录", "seed active": "有记录", "actor active": "有记录", "data active": "有记录", "agency active": "在册", "proposal active": "表决中", "network active": "生效", "grant active": "已授权", "document active": "已登记",
  "licence suspended": "暂扣", "licence cancelled": "注销", "grant cancelled": "已收回", "document cancelled": "已停用", "agency cancelled": "撤并", "proposal cancelled": "撤回", "grant revoked": "已收回",
};
const PARTS = { subject: "对象", superseded: "被取代", observed: "观察", input: "投入", output: "产出", parent: "上级", child: "下级", target: "所涉对象", actor: "行为机构", recipient: "接收机构", basis: "依据" };
let language = (navigator.languages || [navigator.language]).some((one) => /^zh/i.test(one)) ? "zh" : "en";
try { language = localStorage.getItem("language") || language; } catch { /* a private window remembers nothing */ }
const say = (name) => WORDS[language][name] || name;
const term = (words, ...names) => (language === "zh" && names.map((name) => words[name]).find(Boolean)) || names.at(-1).replaceAll("_", " ");
const SVG = "http://www.w3.org/2000/svg";
const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};
const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const link = (to, text) => make("a", { href: `#/${to}` }, text);
const short = (hash) => `${hash.slice(0, 8)}…${hash.slice(-4)}`;
const when = (time) => make("time", { datetime: time, title: time }, new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "Asia/Shanghai" }).format(new Date(time)) + " +08:00");
class Problem extends Error { constructor(status, text) { super(text); this.status = status; } }
async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const body = await answer.json();
  if (!answer.ok && !("ready" in body)) throw new Problem(answer.status, `${body.detail} (${body.code})`);
  return body;
}
function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((name) => make("th", { scope: "col" }, say(name))));
  const cells = (row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map(cells))));
}
const facts = (rows) => make("div", { class: "scroll" }, make("table", {}, make("tbody", {}, ...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, say(name)), make("td", {}, value))))));
const mono = (text) => make("code", {}, text);
// What an operation is about: the subjects it names, as links, and the act in a word.
function about(row) {
  const [[kind, act]] = Object.entries(row.operation.action);
  const name = (it) => (typeof it === "string" ? it : Object.keys(it || {})[0] || "");
  const verb = (it) => term(ACTS[kind] || {}, name(it));
  if (kind === "item") return { kind, verb: verb(act.verb), subjects: [`item:${act.code}`, `basic:${act.basic}`] };
  if (kind === "licence") return { kind, verb: verb(act.verb), subjects: [`licence:${act.licence}`] };
  if (kind === "trace") return { kind, verb: `${verb(act.event)} ${act.step || ""}`, subjects: act.lots.map(([lot]) => `lot:${lot}`) };
  if (kind === "list") return { kind, verb: verb(act.verb), subjects: [`list:${act.name}`] };
  if (kind === "batch") return { kind, verb: String(act.lines), subjects: [`batch:${act.series}`] };
  if (kind === "seed") return { kind, verb: act.lot, subjects: [`seed:${act.permit}/${act.unit}`] };
  return { kind, verb: verb(act), subjects: [] };
}
const subjectLink = (subject) => link(`subject/${encodeURIComponent(subject)}`, subject);
function recordRows(rows) {
  return rows.map((row) => {
    const it = about(row);
    const some = it.subjects.slice(0, 3).flatMap((subject, n) => (n ? [", ", subjectLink(subject)] : [subjectLink(subject)]));
    if (it.subjects.length > 3) some.push(` +${it.subjects.length - 3}`);
    return [link(`record/${row.record}`, String(row.position)), when(row.time), `${say(it.kind)} · ${it.verb}`, make("span", {}, ...some), row.agency_name || row.agency, link(`block/${row.height}`, String(row.height))];
  });
}
const RECORD_HEADS = ["position", "time", "what", "subject", "agency", "height"];
const blockRows = (rows) => rows.map((row) => [link(`block/${row.height}`, String(row.height)), when(row.time), String(row.records), String(row.signatures), mono(short(row.block))]);
const BLOCK_HEADS = ["height", "time", "count", "signatures", "block"];
async function network() {
  const [status, blocks] = await Promise.all([ask("/v1/status"), ask("/v1/blocks?limit=10")]);
  const sound = status.obstacles.length === 0;
  const nodes = status.validators.map((one) => [`v${one.seat + 1}`, one.name, make("span", { class: one.reachable ? "good" : "bad" }, one.reachable ? `✔ ${say("yes")}` : `✘ ${say("no")}`), one.this_node ? `✔ ${say("yes")}` : ""]);
  return [make("h1", {}, say("network")), make("p", { class: sound ? "good" : "bad", role: "status" }, make("strong", {}, sound ? `✔ ${say("healthy")}` : `✘ ${say("troubled")}`)),
    make("ul", {}, ...status.obstacles.map((text) => make("li", { lang: "en" }, text))),
    facts([["chain", make("span", {}, `${status.name} `, mono(status.chain))], ["height", link(`block/${status.height}`, String(status.height))], ["time", when(status.time)], ["count", String(status.records)], ["waiting", String(status.pending)], ["quorum", `${status.quorum} / ${status.validators.length}`]]),
    make("h2", {}, say("validators")), table(["seat", "name", "reach", "self"], nodes), make("h2", {}, say("latest")), table(BLOCK_HEADS, blockRows(blocks.blocks))];
}
async function blocks(cursor) {
  const page = await ask(`/v1/blocks?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
  return [make("h1", {}, say("blocks")), table(BLOCK_HEADS, blockRows(page.blocks)), page.next ? make("p", {}, link(`blocks/${page.next}`, say("more"))) : null];
}
async function block(height) {
  const it = await ask(`/v1/blocks/${encodeURIComponent(height)}`);
  const before = it.header.height > 1 ? (await ask(`/v1/blocks/${it.header.height - 1}`)).header.log_size : 0;
  const wanted = it.header.log_size - before;
  const rows = wanted ? (await ask(`/v1/records?cursor=${before}&limit=${Math.min(wanted, 1000)}`)).records.filter((row) => row.height === it.header.height) : [];
  return [make("h1", {}, `${say("block")} ${it.header.height}`),
    facts([["block", mono(it.block)], ["time", when(it.header.time)], ["proposer", `v${it.header.proposer + 1}`], ["signatures", it.certificate.signatures.map(([seat]) => `v${seat + 1}`).join(", ")], ["count", String(wanted)]]),
    rows.length ? table(RECORD_HEADS, recordRows(rows)) : null, details(it)];
}
const details = (value) => make("details", {}, make("summary", {}, say("details")), make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)));
async function records(kind, cursor) {
  const filter = kind && kind !== "all" ? `&kind=${encodeURIComponent(kind)}` : "";
  const page = await ask(`/v1/records?order=newest&limit=50${filter}${cursor ? `&cursor=${cursor}` : ""}`);
  const kinds = ["all", "item", "licence", "trace", "govern"].flatMap((one, n) => [n ? " · " : "", link(`records/${one}`, say(one))]);
  return [make("h1", {}, say("records")), make("p", { class: "noprint" }, ...kinds), table(RECORD_HEADS, recordRows(page.records)), page.next ? make("p", {}, link(`records/${kind || "all"}/${page.next}`, say("more"))) : null];
}
async function record(id) {
  const row = await ask(`/v1/records/${encodeURIComponent(id)}`), it = about(row);
  return [make("h1", {}, `${say("record")} ${row.position}`),
    facts([["record", mono(row.record)], ["what", `${say(it.kind)} · ${it.verb}`], ["subject", make("span", {}, ...it.subjects.flatMap((one, n) => (n ? [make("br"), subjectLink(one)] : [subjectLink(one)])))], ["agency", make("span", {}, `${row.agency_name} `, subjectLink(`agency:${row.agency}`))], ["time", when(row.time)], ["effective", when(row.operation.effective_from)], ["height", link(`block/${row.height}`, String(row.height))], ["tx", mono(row.tx)], ["document", mono(row.operation.commitment.document)]]),
    make("p", { class: "noprint" }, make("a", { href: `/v1/proofs/records/${row.record}`, download: `record-${row.position}.proof` }, say("proof"))), details(row)];
}
async function documents(digest) {
  const page = await ask(`/v1/records?document=${encodeURIComponent(digest)}`);
  return [make("h1", {}, say("document")), make("p", {}, mono(digest)), page.records.length ? table(RECORD_HEADS, recordRows(page.records)) : make("p", {}, say("none"))];
}
async function transaction(id) {
  const it = await ask(`/v1/transactions/${encodeURIComponent(id)}`);
  return [make("h1", {}, say("tx")), facts([["tx", mono(it.tx)], ["status", it.status + (it.code ? ` · ${it.code}: ${it.detail}` : "")], ["height", it.height ? link(`block/${it.height}`, String(it.height)) : "–"]]),
    make("ol", {}, ...it.records.map((one) => make("li", {}, link(`record/${one.record}`, one.record))))];
}
async function agencies() {
  const { agencies: all } = await ask("/v1/agencies");
  const rows = all.map((one) => [one.name, subjectLink(`agency:${one.agency}`), one.active ? `✔ ${say("yes")}` : `✘ ${say("no")}`, one.facts.grants.filter((grant) => grant.until === null).map((grant) => say(Object.keys(grant.role)[0])).join(language === "zh" ? "、" : ", "), String(one.facts.keys.filter((key) => key.until === null).length)]);
  return [make("h1", {}, say("agencies")), table(["name", "agency", "active", "roles", "keys"], rows)];
}
async function subject(name) {
  const path = encodeURIComponent(name), it = await ask(`/v1/subjects/${path}`);
  const rows = [];
  for (let from = 0; from !== null && rows.length < 1000; ) {
    const page = await ask(`/v1/subjects/${path}/history?from=${from}&limit=500`);
    rows.push(...page.rows);
    from = page.next;
  }
  const lines = recordRows(rows).map((cells, n) => [cells[0], cells[1], make("span", { class: "word" }, term(PARTS, rows[n].part)), ...cells.slice(2)]);
  const parts = [make("h1", {}, name), facts([["status", term(STATUSES, `${name.split(":")[0]} ${it.state.status}`, it.state.status)], ["owner", `${it.owner_name} ${it.state.owner}`], ["version", String(it.state.version)], ["count", String(it.state.records)], ["effective", when(it.state.effective_from)], ["height", link(`block/${it.height}`, String(it.height))]]),
    make("p", { class: "noprint" }, make("a", { href: `/v1/proofs/subjects/${path}`, download: "subject.proof" }, say("proof")))];
  if (name.startsWith("lot:")) parts.push(...(await graph(name.slice(4))));
  return [...parts, make("h2", {}, say("history")), table(["position", "time", "part", ...RECORD_HEADS.slice(2)], lines), details(it)];
}
const LOTS_MAX = 40;
// The lots around one, by events with inputs and outputs, or with a container; nearest first, so many and no more.
async function graph(start) {
  const depth = new Map([[start, 0]]), edges = new Map(), queue = [start];
  let cut = false;
  while (queue.length) {
    const lot = queue.shift();
    const page = await ask(`/v1/subjects/${encodeURIComponent(`lot:${lot}`)}/history?limit=200`).catch((error) => { if (error.status === 404) return { rows: [] }; throw error; });
    cut ||= page.next !== null && page.next !== undefined;
    for (const row of page.rows) {
      const lots = row.operation.action.trace ? row.operation.action.trace.lots : [];
      const of = (...parts) => lots.filter(([, part]) => parts.includes(part)).map(([one]) => one);
      for (const [sources, targets] of [[of("input"), of("output")], [of("child"), of("parent")]]) {
        for (const source of sources) for (const target of targets) {
          if (source === target) continue;
          for (const [one, step] of [[source, depth.get(target) - 1], [target, depth.get(source) + 1]]) {
            if (depth.has(one) || Number.isNaN(step)) continue;
            if (depth.size >= LOTS_MAX) { cut = true; continue; }
            depth.set(one, step);
            queue.push(one);
          }
          if (depth.has(source) && depth.has(target)) edges.set(`${source}\n${target}`, [source, target, row.operation.action.trace.step || row.operation.action.trace.event]);
        }
      }
    }
  }
  if (depth.size < 2) return [];
  const columns = [...new Set(depth.values())].sort((a, b) => a - b), places = new Map();
  const W = 230, H = 46, seen = new Map();
  for (const [lot, step] of depth) {
    const column = columns.indexOf(step), line = seen.get(column) || 0;
    seen.set(column, line + 1);
    places.set(lot, [column * (W + 60) + 10, line * (H + 18) + 10]);
  }
  const width = columns.length * (W + 60), height = Math.max(...seen.values()) * (H + 18) + 20;
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${say("graph")}: ${start}` },
    draw("defs", {}, draw("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, draw("path", { d: "M0 0 L8 4 L0 8" }))));
  for (const [source, target] of edges.values()) {
    const [x1, y1] = places.get(source), [x2, y2] = places.get(target);
    picture.append(draw("path", { d: `M${x1 + W} ${y1 + H / 2} C${x1 + W + 30} ${y1 + H / 2} ${x2 - 30} ${y2 + H / 2} ${x2} ${y2 + H / 2}`, "marker-end": "url(#tip)" }));
  }
  for (const [lot, [x, y]] of places) {
    const text = lot.length > 30 ? `…${lot.slice(-29)}` : lot;
    picture.append(draw("a", { href: `#/subject/${encodeURIComponent(`lot:${lot}`)}` }, draw("title", {}, lot), draw("rect", { x, y, width: W, height: H, rx: 5, "stroke-width": lot === start ? 3 : 1 }), draw("text", { x: x + 8, y: y + 28 }, text)));
  }
  const words = [...edges.values()].map(([source, target, step]) => make("li", {}, `${source} → ${target} (${step})`));
  return [make("h2", {}, say("graph")), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("graph") }, picture), cut ? make("p", {}, say("truncated")) : null, make("details", {}, make("summary", {}, say("graphText")), make("ul", {}, ...words))];
}
const PAGES = { "": network, blocks, block, records, record, agencies, subject, document: documents, tx: transaction };
let turn = 0;
async function show() {
  const mine = ++turn, place = document.getElementById("page");
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-say]").forEach((element) => { element.textContent = say(element.dataset.say); });
  document.querySelectorAll("[data-label]").forEach((element) => { element.setAttribute("aria-label", say(element.dataset.label)); });
  const other = document.getElementById("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh-CN";
  place.replaceChildren(make("p", {}, say("loading")));
  let parts;
  try {
    parts = await (Object.hasOwn(PAGES, name) ? PAGES[name] : network)(...rest);
  } catch (error) {
    parts = [make("h1", {}, error.status === 404 ? say("none") : say("failed")), make("p", { role: "alert" }, error.message)];
  }
  if (mine !== turn) return;
  place.replaceChildren(...parts.filter((part) => part));
  const title = place.querySelector("h1");
  document.title = `${title ? title.textContent : ""} · 闽链 Minlian`;
}
async function find(text) {
  if (/^\d+$/.test(text)) return `block/${text}`;
  if (/^(blake3|sha256|sm3):/.test(text)) return `document/${encodeURIComponent(text)}`;
  if (/^[0-9a-f]{64}$/.test(text)) {
    const found = await fetch(`/v1/records/${text}`);
    return found.ok ? `record/${text}` : `tx/${text}`;
  }
  return `subject/${encodeURIComponent(text)}`;
}
document.getElementById("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = document.getElementById("what").value.trim();
  if (text) location.hash = `#/${await find(text)}`;
});
document.getElementById("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  try { localStorage.setItem("language", language); } catch { /* a private window remembers nothing */ }
  show();
});
window.addEventListener("hashchange", () => { show().then(() => document.getElementById("main").focus()); });
show();
