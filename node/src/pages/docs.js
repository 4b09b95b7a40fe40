"use strict";
// Draws /v1/openapi.json, and lets each operation be tried. Nothing is fetched from anywhere but this node.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const pointed = (document_, schema) => {
  const name = schema && schema.$ref;
  return name ? document_.components.schemas[name.split("/").pop()] : schema;
};
// A schema in words, to a depth that can be read.
function shape(document_, schema, depth = 0) {
  if (schema && schema.$ref && depth > 2) return schema.$ref.split("/").pop();
  const it = pointed(document_, schema) || {};
  if (it.properties) {
    const all = Object.entries(it.properties).map(([name, inner]) => [name, shape(document_, inner, depth + 1)]);
    return Object.fromEntries(all);
  }
  if (it.items) return [shape(document_, it.items, depth + 1)];
  const union = it.oneOf || it.anyOf || it.allOf;
  if (union) return union.length === 1 ? shape(document_, union[0], depth + 1) : union.map((one) => shape(document_, one, depth + 1));
  if (it.enum) return it.enum.join(" | ");
  return [].concat(it.type || "any").join(" | ") + (it.format ? ` (${it.format})` : "");
}
function operation(document_, method, path, it) {
  const form = make("form");
  const fields = (it.parameters || []).map((parameter) => {
    const id = `${it.operationId}-${parameter.name}-${method}`;
    const inner = pointed(document_, parameter.schema) || {};
    const names = (inner.enum || (inner.oneOf || []).flatMap((one) => one.enum || [])).filter((name) => name !== null);
    const field = names.length
      ? make("select", { id, name: parameter.name }, ...["", ...names].map((name) => make("option", {}, name)))
      : make("input", { id, name: parameter.name, autocomplete: "off" });
    if (parameter.required) field.required = true;
    form.append(make("label", { for: id }, `${parameter.name} (${parameter.in}${parameter.required ? ", required" : ""}) — ${parameter.description || ""} `, field));
    return [parameter, field];
  });
  if (it.security) form.append(make("p", {}, "With the token given at the top of this page."));
  const kinds = it.requestBody ? Object.keys(it.requestBody.content) : [];
  const text = kinds.find((kind) => kind.includes("json"));
  let body = null;
  if (text) {
    const id = `${it.operationId}-body`;
    body = make("textarea", { id, spellcheck: "false" });
    body.value = JSON.stringify(shape(document_, it.requestBody.content[text].schema), null, 2);
    form.append(make("label", { for: id }, `body (${text})`), body);
  } else if (kinds.length) {
    const id = `${it.operationId}-body`;
    body = make("input", { id, type: "file" });
    form.append(make("label", { for: id }, `body (${kinds[0]})`, body));
  }
  const out = make("pre", { hidden: "", tabindex: "0" });
  const streams = "200" in it.responses && "text/event-stream" in (it.responses["200"].content || {});
  if (!streams) form.append(make("button", { type: "submit" }, "Try it"));
  form.append(out);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams(), headers = {};
    for (const [parameter, field] of fields) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
      else if (field.value && parameter.in === "query") query.set(parameter.name, field.value);
      else if (field.value && parameter.in === "header") headers[parameter.name] = field.value;
    }
    if (query.size) url += `?${query}`;
    const token = document.getElementById("token").value.trim();
    if (it.security && token) headers.authorization = `Bearer ${token}`;
    const request = { method: method.toUpperCase(), headers };
    if (body) {
      headers["content-type"] = text || kinds[0];
      request.body = text ? body.value : body.files[0];
    }
    out.hidden = false;
    try {
      const answer = await fetch(url, request);
      const kind = answer.headers.get("content-type") || "";
      const raw = /json|text|toml/.test(kind) ? await answer.text() : `${(await answer.arrayBuffer()).byteLength} bytes of ${kind}`;
      let shown = raw;
      if (kind.includes("json")) try { shown = JSON.stringify(JSON.parse(raw), null, 2); } catch { shown = raw; }
      out.textContent = `${request.method} ${url}\n${answer.status} ${answer.statusText}   x-request-id: ${answer.headers.get("x-request-id")}\n\n${shown}`;
    } catch (error) {
      out.textContent = `no answer: ${error.message}`;
    }
  });
  const rows = Object.entries(it.responses).map(([status, answer]) => {
    const [kind, content] = Object.entries(answer.content || {})[0] || ["", {}];
    const schema = content.schema ? JSON.stringify(shape(document_, content.schema), null, 1) : "";
    return make("tr", {}, make("th", { scope: "row" }, status), make("td", {}, answer.description), make("td", {}, kind, schema ? make("details", {}, make("summary", {}, "shape"), make("pre", { tabindex: "0" }, schema)) : ""));
  });
  const head = ["status", "meaning", "form"].map((name) => make("th", { scope: "col" }, name));
  return make("details", { "data-words": `${method} ${path} ${it.summary}`.toLowerCase() },
    make("summary", {}, make("code", {}, `${method.toUpperCase()} ${path}`), ` ${it.summary || ""}`),
    it.description ? make("p", {}, it.description) : "",
    form,
    make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}
async function draw() {
  const document_ = await (await fetch("/v1/openapi.json")).json();
  document.getElementById("title").textContent = `${document_.info.title} API, version ${document_.info.version}`;
  document.getElementById("words").textContent = document_.info.description;
  const place = document.getElementById("operations"), tags = new Map();
  place.textContent = "";
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const [method, it] of Object.entries(item)) {
      const tag = (it.tags || ["Other"])[0];
      if (!tags.has(tag)) {
        const section = make("section", {}, make("h2", {}, tag));
        tags.set(tag, section);
        place.append(section);
      }
      tags.get(tag).append(operation(document_, method, path, it));
    }
  }
  document.getElementById("find").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const one of place.querySelectorAll("section > details")) {
      one.hidden = !words.every((word) => one.dataset.words.includes(word));
    }
  });
}
draw().catch((error) => { document.getElementById("operations").textContent = `cannot draw the description: ${error.message}`; });
