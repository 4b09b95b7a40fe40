//! The answer as one page that prints well: no script, nothing loaded, every word of others escaped.

use std::fmt::{self, Write as _};

use crate::{
    report::{Answer, Report},
    speech::{self, Lang},
};

/// Black on white, one column, steps that do not break across pages.
const STYLE: &str = "body{font:11pt/1.5 'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',sans-serif;max-width:46em;\
margin:2em auto;padding:0 1em;color:#000;background:#fff}h1{font-size:1.5em;border-left:.4em solid;padding-left:.5em}\
h1.passed{border-color:#080}h1.failed{border-color:#b00}h1.not-evaluated{border-color:#a60}\
table{border-collapse:collapse;width:100%}td{border-top:1px solid #ccc;padding:.4em;vertical-align:top;white-space:pre-line;\
overflow-wrap:anywhere}tr{break-inside:avoid}h2{font-size:1.1em;margin-bottom:.2em}p{white-space:pre-line;overflow-wrap:anywhere;margin:.4em 0}\
footer{margin-top:2em;border-top:1px solid;font-size:.9em}@page{margin:2cm}";

/// The page.
pub fn html(lang: Lang, report: &Report) -> String {
    let (word, mark) = speech::answer(lang, report.answer());
    let subject = speech::about(lang, report).unwrap_or_else(|| report.file.clone());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title><style>{STYLE}</style></head>\n<body>\n<h1 class=\"{}\">{}</h1>\n<p>{}</p>\n",
        speech::tag(lang),
        escape(&format!("{word} {subject}")),
        mark.name(),
        escape(word),
        escape(&subject),
    );
    let steps = speech::steps(lang, report);
    if !steps.is_empty() {
        out.push_str("<table>\n");
        for (number, step) in (1..).zip(&steps) {
            push(
                &mut out,
                format_args!(
                    "<tr class=\"{}\"><td>{number}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                    step.mark.name(),
                    step.mark.sign(),
                    escape(step.title),
                    escape(&step.text),
                    escape(step.code.unwrap_or_default()),
                ),
            );
        }
        out.push_str("</table>\n");
    }
    let (yes, no) = speech::headings_of_meaning(lang);
    if report.answer() == Answer::Proven {
        let (shown, not_shown) = speech::meaning(lang, report);
        for (head, sentences) in [(yes, shown), (no, not_shown)] {
            push(&mut out, format_args!("<h2>{}</h2>\n", escape(head)));
            for sentence in sentences {
                push(&mut out, format_args!("<p>{}</p>\n", escape(&sentence)));
            }
        }
    } else if let Some(reason) = speech::reason(lang, report) {
        let code = report.code().unwrap_or_default();
        push(
            &mut out,
            format_args!("<p>{}</p>\n<p><code>{}</code></p>\n", escape(&reason), escape(code)),
        );
    }
    push(
        &mut out,
        format_args!(
            "<footer><p>{}</p></footer>\n</body>\n</html>\n",
            escape(&speech::foot(lang, report))
        ),
    );
    out
}

fn push(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes what it is given");
}

/// Text as HTML shows it, whoever wrote it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if speech::is_plain(c) || c == '\n' => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_becomes_markup() {
        assert_eq!(
            escape("<script>alert('1')</script>\u{202e}&\"\u{1b}[31m\n"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\u{fffd}&amp;&quot;\u{fffd}[31m\n"
        );
    }
}
