//! Short text with a limit in bytes, free of anything that could deceive a terminal or a reader.

use core::{fmt, ops::Deref, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, de};

/// UTF-8 text of 1 to `MAX` bytes: no control characters, no bidirectional overrides, no surrounding white space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

/// Why text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// More than the limit.
    #[error("{found} bytes of text where at most {limit} are allowed")]
    TooLong {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character that is not for reading.
    #[error("contains the character U+{0:04X}, which is not allowed here")]
    Character(u32),
    /// White space at an end.
    #[error("begins or ends with white space")]
    Space,
}

impl<const MAX: usize> Text<MAX> {
    /// How many bytes it has at most.
    pub const BYTES_MAX: usize = MAX;

    /// The text, if it is within the rules.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX {
            return Err(TextError::TooLong { found: text.len(), limit: MAX });
        }
        if let Some(bad) = text.chars().find(|c| is_deceptive(*c)) {
            return Err(TextError::Character(bad.into()));
        }
        if text.trim().len() != text.len() {
            return Err(TextError::Space);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Controls, and the invisible marks that reorder what is read (Unicode UAX 9).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(d)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_plain() {
        assert!(Text::<9>::new("水产品").is_ok());
        assert_eq!(Text::<8>::new("水产品"), Err(TextError::TooLong { found: 9, limit: 8 }));
        assert_eq!(Text::<8>::new(""), Err(TextError::Empty));
        assert_eq!(Text::<8>::new(" a"), Err(TextError::Space));
        for bad in ["a\u{1b}[2J", "a\nb", "a\u{202e}b", "\u{feff}a"] {
            assert!(matches!(Text::<32>::new(bad), Err(TextError::Character(_))), "{bad:?}");
        }
    }
}
