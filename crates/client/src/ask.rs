//! Questions to one node: where a subject stands, what its history is, what a record says.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    layout::{count, hang, pad},
    speech::{self, Lang},
};
use client::api::{HistoryRow, RecordView, SubjectView};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::to_string;
use types::operation::Action;
use unicode_width::UnicodeWidthStr as _;

/// The rows a node is asked for at a time.
const PAGE: u64 = 100;

/// Says where a subject stands.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn status(what: &arguments::Ask, console: &Console) -> Result<Exit, Stop> {
    let client = console.client(&what.node.node)?;
    let Some(view) = client.subject(&what.subject).await? else {
        console.talk(&speech::unknown_subject(console.lang(), &what.subject, client.url()));
        return Ok(Exit::Negative);
    };
    if what.json {
        console.data(&to_string(&view).map_err(std::io::Error::from)?)?;
    } else {
        console.data(&subject(console.lang(), &view))?;
        let (lang, subject) = (console.lang(), &what.subject);
        console.talk(&speech::as_of(lang, client.url(), subject, view.height, view.time));
    }
    Ok(Exit::Done)
}

fn subject(lang: Lang, view: &SubjectView) -> String {
    let SubjectView { state, owner_name, .. } = view;
    let word = speech::usage::word_at(lang, state, view.time);
    let mut rows = vec![
        (["effective", "生效时间"], state.effective_from.in_china()),
        (["owner", "归属"], format!("{} ({})", speech::clean(owner_name), state.owner)),
        (["version", "版本"], state.version.to_string()),
        (["records", "记录数"], count(state.records)),
    ];
    if let Some(facts) = speech::facts(lang, &state.facts) {
        rows.push((["details", "详情"], facts));
    }
    let head = format!("{word}   {}", speech::thing(lang, &state.subject));
    std::iter::once(head)
        .chain(rows.into_iter().map(|row| aligned(lang, row)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A row of a name in both languages and a value.
fn aligned(lang: Lang, (name, value): ([&str; 2], String)) -> String {
    let [en, zh] = name;
    let name = match lang {
        Lang::En => en,
        Lang::Zh => zh,
    };
    hang(&format!("  {}", pad(name, 11.max(name.width() + 2))), &value)
}

/// Lists a subject's history, page by page.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn history(what: &arguments::History, console: &Console) -> Result<Exit, Stop> {
    let client = console.client(&what.node.node)?;
    let lang = console.lang();
    let (mut from, mut left) = (what.from, what.limit.unwrap_or(u64::MAX));
    let mut table = table(lang);
    while left > 0 {
        let Some(page) = client.history(&what.subject, from, PAGE.min(left)).await? else {
            console.talk(&speech::unknown_subject(lang, &what.subject, client.url()));
            return Ok(Exit::Negative);
        };
        for row in &page.rows {
            show(row, what.json, &mut table, console)?;
        }
        left = left.saturating_sub(page.rows.len().try_into().unwrap_or(u64::MAX));
        match page.next {
            // A page that leads nowhere would be asked for over and over.
            Some(next) if next > from => from = next,
            Some(_) | None => break,
        }
    }
    if !what.json {
        console.data(&table.trim_fmt())?;
    }
    Ok(Exit::Done)
}

/// Lists rows of a history that are at hand.
///
/// # Errors
/// When standard output does not take them.
pub(crate) fn list(rows: &[HistoryRow], json: bool, console: &Console) -> Result<(), Stop> {
    let mut table = table(console.lang());
    for row in rows {
        show(row, json, &mut table, console)?;
    }
    if !json {
        console.data(&table.trim_fmt())?;
    }
    Ok(())
}

fn table(lang: Lang) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(speech::headings(lang));
    table
}

/// Programs have every row at once, people the whole table at the end.
fn show(row: &HistoryRow, json: bool, table: &mut Table, console: &Console) -> Result<(), Stop> {
    if json {
        console.data(&to_string(row).map_err(std::io::Error::from)?)?;
    } else {
        table.add_row(cells(console.lang(), row));
    }
    Ok(())
}

fn cells(lang: Lang, row: &HistoryRow) -> [String; 6] {
    let RecordView { time, height, agency_name, operation, .. } = &row.record;
    [
        row.sequence.to_string(),
        time.in_china(),
        count(height.0),
        speech::act(lang, &operation.action),
        speech::part(lang, row.part).to_owned(),
        speech::clean(agency_name),
    ]
}

/// Shows a record.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn record(what: &arguments::AskRecord, console: &Console) -> Result<Exit, Stop> {
    let client = console.client(&what.node.node)?;
    let lang = console.lang();
    let Some(view) = client.record(&what.record).await? else {
        console.talk(&speech::unknown_record(lang, &what.record, client.url()));
        return Ok(Exit::Negative);
    };
    if what.json {
        console.data(&to_string(&view).map_err(std::io::Error::from)?)?;
        return Ok(Exit::Done);
    }
    let RecordView { position, height, time, tx, index, agency, agency_name, operation, .. } =
        &view;
    let agency = format!("{} ({agency})", speech::clean(agency_name));
    let provenance = &operation.provenance;
    let captured = format!(
        "{} {}, {}",
        provenance.system,
        provenance.version,
        provenance.captured_at.in_china()
    );
    let rows = [
        (["record", "记录"], view.record.to_string()),
        (["agency", "机构"], agency),
        (["effective", "生效时间"], operation.effective_from.in_china()),
        (["recorded", "上链时间"], time.in_china()),
        (["place", "位置"], format!("#{position}, block {}", count(height.0))),
        (["tx", "交易"], format!("{tx} [{index}]")),
        (["document", "文件摘要"], operation.commitment.document.to_string()),
        (["content", "内容摘要"], operation.commitment.content.to_string()),
        (["captured", "采集"], captured),
    ];
    // An identifier is worth as much as the profile it was computed by, so the two are never apart.
    let hash = if let Action::Trace(event) = &operation.action { event.cbv_hash } else { None };
    let hash = hash.map(|hash| {
        let (id, profile) = (records::cbv::identifier(&hash), records::cbv::PROFILE);
        (["cbv hash", "CBV 哈希"], format!("{id} ({profile})"))
    });
    let rows = rows.into_iter().chain(hash);
    let head = speech::act(lang, &operation.action);
    let lines = std::iter::once(head).chain(rows.map(|row| aligned(lang, row)));
    console.data(&lines.collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}
