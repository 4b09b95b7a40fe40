//! JSON, strictly: one reading per document, no key twice, no digit lost.

use crate::{
    canonical::number_text,
    fault::{Fault, Problem, token},
};
use std::collections::BTreeMap;

/// Objects nest at most this deep, arrays counted.
pub const DEPTH_MAX: usize = 64;
/// The most members in one object. Nobody's documents come near it, and who looks for a name twice among very many pays for it.
pub const MEMBERS_MAX: usize = 4096;
/// The most values (members, items) in one document.
pub const VALUES_MAX: usize = 1 << 20;

/// An object: names are unique, their order means nothing.
pub(crate) type Map = BTreeMap<String, Value>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Its text denoted exactly this number.
    Number(f64),
    String(String),
    Array(Vec<Self>),
    Object(Map),
}

impl Value {
    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(crate) const fn as_object(&self) -> Option<&Map> {
        if let Self::Object(map) = self { Some(map) } else { None }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The items of a list, or the value as the only one.
    pub(crate) fn one_or_many(&self) -> &[Self] {
        self.as_array().unwrap_or_else(|| core::slice::from_ref(self))
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object().and_then(|map| map.get(name))
    }
}

/// Reads a document.
///
/// The standard library of JSON in Rust is not used here: it keeps the last of two equal keys, and with exact numbers
/// switched on it reads an object with one certain key as a number, which a document could exploit.
pub(crate) fn parse(document: &[u8]) -> Result<Value, Fault> {
    let text = core::str::from_utf8(document).map_err(|error| {
        let offset = error.valid_up_to();
        Problem::new(
            "E-REC-001",
            format!("not UTF-8 at byte {offset}"),
            format!("不是 UTF-8 编码(第 {offset} 字节处)"),
        )
        .at(String::new())
    })?;
    if text.starts_with('\u{feff}') {
        let problem = Problem::new(
            "E-REC-001",
            "starts with a byte order mark; save it as UTF-8 without one",
            "以字节顺序标记(BOM)开头;请保存为不带 BOM 的 UTF-8",
        );
        return Err(problem.at(String::new()));
    }
    let mut parser = Parser { text, next: 0, values: 0 };
    let read = parser.document();
    read.map_err(|Broken { mut steps, problem }| {
        steps.reverse();
        problem.at(steps.concat())
    })
}

/// Why reading stopped; the steps of its pointer are gathered on the way out, innermost first.
struct Broken {
    steps: Vec<String>,
    problem: Problem,
}

impl Broken {
    fn in_member(mut self, name: &str) -> Self {
        self.steps.push(format!("/{}", token(name)));
        self
    }

    fn in_item(mut self, index: usize) -> Self {
        self.steps.push(format!("/{index}"));
        self
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self { steps: Vec::new(), problem }
    }
}

struct Parser<'a> {
    text: &'a str,
    next: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Value, Broken> {
        let value = self.value(0)?;
        self.space();
        if self.next < self.text.len() {
            return Err(self.syntax("the end of the document", "文档结尾"));
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.next).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.next += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.next += 1;
        }
        there
    }

    fn syntax(&self, expected: &str, zh: &str) -> Broken {
        let read = &self.text.as_bytes()[..self.next.min(self.text.len())];
        let line = read.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = read.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        Problem::new(
            "E-REC-002",
            format!("not JSON: expected {expected} at line {line}, byte {column}"),
            format!("不是合法的 JSON:第 {line} 行第 {column} 字节处应为{zh}"),
        )
        .into()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Broken> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(Problem::too_many("values", "JSON 值的数量", VALUES_MAX).into());
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(_) if self.word("true") => Ok(Value::Bool(true)),
            Some(_) if self.word("false") => Ok(Value::Bool(false)),
            Some(_) if self.word("null") => Ok(Value::Null),
            Some(_) | None => Err(self.syntax("a value", "一个值")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, Broken> {
        if depth < DEPTH_MAX {
            return Ok(depth + 1);
        }
        let problem = Problem::new(
            "E-REC-004",
            format!("nested deeper than {DEPTH_MAX} levels"),
            format!("嵌套超过 {DEPTH_MAX} 层"),
        );
        Err(problem.into())
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.text[self.next..].starts_with(word);
        if there {
            self.next += word.len();
        }
        there
    }

    fn object(&mut self, depth: usize) -> Result<Value, Broken> {
        let mut map = Map::new();
        self.next += 1;
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a member's name in quotes", "带引号的成员名"));
            }
            let name = self.string()?;
            if map.len() == MEMBERS_MAX {
                let problem =
                    Problem::too_many("members in one object", "一个对象的成员数量", MEMBERS_MAX);
                return Err(problem.into());
            }
            if map.contains_key(&name) {
                let problem = Problem::new(
                    "E-REC-003",
                    "this member is there twice in one object",
                    "同一对象中该成员重复出现",
                );
                return Err(Broken::from(problem).in_member(&name));
            }
            self.space();
            if !self.take(b':') {
                return Err(self.syntax("a colon", "冒号"));
            }
            let value = self.value(depth).map_err(|broken| broken.in_member(&name))?;
            map.insert(name, value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(map));
            }
            if !self.take(b',') {
                return Err(self.syntax("a comma or `}`", "逗号或 `}`"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Broken> {
        let mut items = Vec::new();
        self.next += 1;
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            let value = self.value(depth).map_err(|broken| broken.in_item(items.len()))?;
            items.push(value);
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.syntax("a comma or `]`", "逗号或 `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        self.next += 1;
        let mut out = String::new();
        loop {
            let plain = self.text.as_bytes()[self.next..]
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .count();
            out.push_str(&self.text[self.next..self.next + plain]);
            self.next += plain;
            if self.take(b'"') {
                return Ok(out);
            }
            if !self.take(b'\\') {
                return Err(self.syntax(
                    "the closing quote (control characters are written \\u00..)",
                    "右引号",
                ));
            }
            out.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, Broken> {
        let letter = self.peek();
        self.next += usize::from(letter.is_some());
        Ok(match letter {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            Some(_) | None => return Err(self.syntax("an escape JSON knows", "JSON 允许的转义")),
        })
    }

    fn unicode(&mut self) -> Result<char, Broken> {
        let first = self.hex4()?;
        let units = match first {
            0xd800..=0xdbff if self.word("\\u") => vec![first, self.hex4()?],
            _other => vec![first],
        };
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(c)), None) => Ok(c),
            (Some(Ok(_) | Err(_)) | None, _) => Err(Problem::new(
                "E-REC-007",
                "half of a surrogate pair: this is not a character",
                "代理对不完整,不是有效字符",
            )
            .into()),
        }
    }

    fn hex4(&mut self) -> Result<u16, Broken> {
        let digits = self.text.as_bytes().get(self.next..self.next + 4);
        let value = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let value =
            value.ok_or_else(|| self.syntax("four hexadecimal digits", "四位十六进制数字"))?;
        self.next += 4;
        Ok(value)
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let count = self.text.as_bytes()[self.next..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.next += count;
        if count == 0 { Err(self.syntax("a digit", "数字")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<f64, Broken> {
        let start = self.next;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        let text: &'a str = &self.text[start..self.next];
        exact(text).ok_or_else(|| {
            let shown = crate::fault::quote(text);
            Problem::new(
                "E-REC-006",
                format!("the number {shown} has more digits than JSON systems keep (IEEE 754 double); write it as a string"),
                format!("数字 {shown} 超出双精度可精确表示的范围;请改写为字符串"),
            )
            .into()
        })
    }
}

/// The double a number's text denotes, if the shortest text of that double denotes the same decimal number again.
fn exact(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let same = number.is_finite() && decimal(text)? == decimal(&number_text(number))?;
    same.then_some(number)
}

/// A decimal number in one spelling: sign, digits without zeros at the ends, and the power of ten of the last digit.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) =
        mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0)); // Zero has no sign and no exponent.
    }
    let dropped = i64::try_from(digits.len() - kept.len()).ok()?;
    let power = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?;
    Some((negative, kept.to_owned(), power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(document: &str, want: &str) {
        let got = parse(document.as_bytes())
            .map_or_else(|fault| format!("{} {}", fault.code, fault.at), |_| "ok".to_owned());
        assert_eq!(got, want, "{document}");
    }

    #[test]
    fn one_reading_per_document() {
        for good in [
            "{}",
            " [1, -0, 0.5, 1e3, 1E+2] ",
            r#""\ud83d\ude00\/""#,
            "null",
            "true",
            r#"{"a":{"b":[]}}"#,
            "1.0000",
        ] {
            check(good, "ok");
        }
        for (bad, want) in [
            ("", "E-REC-002 "),
            ("{} x", "E-REC-002 "),
            ("{}{}", "E-REC-002 "),
            ("\u{feff}{}", "E-REC-001 "),
            (r#"{"a":1,"a":2}"#, "E-REC-003 /a"),
            (r#"{"a":1,"\u0061":2}"#, "E-REC-003 /a"),
            (r#"{"x":[0,{"a/b":{"~":1,"~":2}}]}"#, "E-REC-003 /x/1/a~1b/~0"),
            (r#"{"n":[1,9007199254740993]}"#, "E-REC-006 /n/1"),
            (r#"{"n":0.1000000000000000055}"#, "E-REC-006 /n"),
            ("1e400", "E-REC-006 "),
            ("1e-400", "E-REC-006 "),
            ("1e99999999999999999999", "E-REC-006 "),
            ("01", "E-REC-002 "),
            ("+1", "E-REC-002 "),
            ("1.", "E-REC-002 "),
            (".5", "E-REC-002 "),
            ("NaN", "E-REC-002 "),
            ("'a'", "E-REC-002 "),
            ("[1,]", "E-REC-002 /1"),
            (r#"{"a":1,}"#, "E-REC-002 "),
            (r#"{a:1}"#, "E-REC-002 "),
            ("[1 // one\n]", "E-REC-002 "),
            ("\"a\nb\"", "E-REC-002 "),
            (r#""\x""#, "E-REC-002 "),
            (r#""\u12g4""#, "E-REC-002 "),
            (r#"{"s":"\ud800"}"#, "E-REC-007 /s"),
            (r#"{"s":"\ud800\u0041"}"#, "E-REC-007 /s"),
            (r#"{"s":"\udc00"}"#, "E-REC-007 /s"),
            ("\"open", "E-REC-002 "),
            ("\u{a0}1", "E-REC-002 "),
        ] {
            check(bad, want);
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().code, "E-REC-001");
        assert_eq!(parse(b"\"\xed\xa0\x80\"").unwrap_err().code, "E-REC-001");
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(DEPTH_MAX), "ok");
        check(&nested(DEPTH_MAX + 1), &format!("E-REC-004 {}", "/0".repeat(DEPTH_MAX)));
        assert_eq!(parse("[".repeat(1 << 20).as_bytes()).unwrap_err().code, "E-REC-004");
    }

    #[test]
    fn a_very_long_name_is_cut_in_a_place() {
        let document = format!(r#"{{"{}":{{"a":1,"a":2}}}}"#, "n".repeat(1 << 20));
        check(&document, &format!("E-REC-003 /{}…/a", "n".repeat(200)));
    }

    #[test]
    fn members_have_a_limit() {
        let object = |members: usize| {
            let members: Vec<_> = (0..members).map(|n| format!("\"{n}\":0")).collect();
            format!("{{\"outer\":{{{}}}}}", members.join(","))
        };
        check(&object(MEMBERS_MAX), "ok");
        check(&object(MEMBERS_MAX + 1), "E-REC-005 /outer");
    }

    proptest! {
        #[test]
        fn numbers_that_are_printed_are_read(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                prop_assert_eq!(exact(&number_text(number)), Some(number));
            }
        }

        #[test]
        fn what_is_accepted_is_json_to_others(text in r#"[\[\]{}",:0-9a-e.\-\\u ]{0,24}"#) {
            if parse(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
