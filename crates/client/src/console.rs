//! What the process is given and where it speaks: the environment is read here, and everything printed passes here.

use crate::{
    arguments::Paint,
    exit::{Exit, Stop},
    speech::{self, Lang},
};
use client::{Client, Tls};
use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    path::PathBuf,
};
use tracing_subscriber::EnvFilter;

/// Standard output for data, standard error for talk.
#[derive(Debug)]
pub(crate) struct Console {
    lang: Lang,
    colour: bool,
    verbose: bool,
    quiet: bool,
    lines: Lines,
}

/// Whom `https://` lines believe, and what is shown on them, as the command line has it.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The authorities believed; the system's without.
    pub(crate) authorities: Option<PathBuf>,
    /// The certificate shown.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key; in the same file without.
    pub(crate) key: Option<PathBuf>,
}

impl Console {
    /// The console as the environment has it; `lang` overrides the locale.
    pub(crate) fn open(lang: Option<Lang>) -> Self {
        let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            lang: lang.unwrap_or_else(locale),
            colour: !plain && io::stdout().is_terminal(),
            verbose: false,
            quiet: false,
            lines: Lines::default(),
        }
    }

    /// The same, coloured as the user wants it.
    #[must_use]
    pub(crate) fn painted(self, paint: Paint) -> Self {
        let colour = match paint {
            Paint::Auto => self.colour,
            Paint::Always => true,
            Paint::Never => false,
        };
        Self { colour, ..self }
    }

    /// The same, which tells on standard error what it asks: the more, the more often that is wanted.
    #[must_use]
    pub(crate) fn telling(self, times: u8) -> Self {
        let told = match times {
            0 => return self,
            1 => "client=debug",
            2 => "client=trace",
            _ => "trace",
        };
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(told))
            .with_writer(io::stderr)
            .with_ansi(self.colour && io::stderr().is_terminal())
            .with_target(times > 2)
            .init();
        Self { verbose: true, ..self }
    }

    /// The same, which says nothing but why it failed, if that is wanted.
    #[must_use]
    pub(crate) fn hushed(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// The same, whose `https://` lines are these.
    #[must_use]
    pub(crate) fn over(self, lines: Lines) -> Self {
        Self { lines, ..self }
    }

    /// A client of a node. The files of a line are read for `https://` alone: whoever keeps them in the environment may ask a
    /// node of this machine without them.
    ///
    /// # Errors
    /// When it is not an address, or the files cannot be used.
    pub(crate) fn client(&self, url: &str) -> Result<Client, Stop> {
        let Lines { authorities, certificate, key } = &self.lines;
        if certificate.is_none() && key.is_some() {
            return Err(Stop::says(
                Exit::Usage,
                "--client-key is the key of --client-cert, which is not given",
            ));
        }
        if !url.starts_with("https:") {
            return Ok(Client::new(url)?);
        }
        let shown = certificate.as_deref().map(|shown| (shown, key.as_deref().unwrap_or(shown)));
        let tls = Tls::open(authorities.as_deref(), shown).map_err(client::ClientError::from)?;
        Ok(Client::with(url, &tls)?)
    }

    /// Whether standard error is full of what is asked: then nothing is drawn there.
    pub(crate) const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether nothing is told.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
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

    /// Says something, unless that is not wanted.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Says why something failed. Where nobody listens there is nobody to tell.
    pub(crate) fn complain(&self, text: &str) {
        drop(tell(&mut io::stderr().lock(), text));
    }
}

/// Writes a line, some of which may be a node's words, or a file's: whatever of it could deceive a terminal stays out.
fn tell(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", speech::clean(text))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_told_moves_the_cursor() {
        let mut out = Vec::new();
        tell(&mut out, "E-\u{1b}[2J\u{1b}]52;c;eA==\u{7}\rPROVEN\n✔ \u{202e}done").unwrap();
        let told = String::from_utf8(out).unwrap();
        assert!(told.chars().all(|c| c == '\n' || speech::is_plain(c)), "{told:?}");
        assert!(told.contains("PROVEN\n✔ ") && told.ends_with("done\n"), "{told:?}");
    }
}
