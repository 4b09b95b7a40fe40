//! What the process is given and where it speaks: the environment is read here, and everything printed passes here.

use crate::{arguments::Paint, speech::Lang};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

/// Standard output for data, standard error for talk.
#[derive(Debug)]
pub(crate) struct Console {
    lang: Lang,
    colour: bool,
}

impl Console {
    /// The console as the environment has it; `lang` overrides the locale.
    pub(crate) fn open(lang: Option<Lang>) -> Self {
        let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { lang: lang.unwrap_or_else(locale), colour: !plain && io::stdout().is_terminal() }
    }

    /// The same, coloured as the user wants it.
    #[must_use]
    pub(crate) const fn painted(self, paint: Paint) -> Self {
        let colour = match paint {
            Paint::Auto => self.colour,
            Paint::Always => true,
            Paint::Never => false,
        };
        Self { colour, ..self }
    }

    /// The language people are spoken to in.
    pub(crate) const fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether data may be coloured.
    pub(crate) const fn colour(&self) -> bool {
        self.colour
    }

    /// Writes a line of data, or several.
    ///
    /// # Errors
    /// When standard output does not take it. A reader that has read enough is no error.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Says something. Where nobody listens there is nobody to tell.
    pub(crate) fn talk(&self, text: &str) {
        drop(writeln!(io::stderr().lock(), "{text}"));
    }
}

/// Chinese for Chinese locales, English for all others.
fn locale() -> Lang {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
    if locale.is_some_and(|name| name.to_ascii_lowercase().starts_with("zh")) {
        Lang::Zh
    } else {
        Lang::En
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A stopwatch for what people are told; nothing is decided by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Such as `5.8 s`.
    pub(crate) fn read(self) -> String {
        let tenths = self.0.elapsed().as_millis() / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}
