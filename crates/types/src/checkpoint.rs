//! Checkpoints in the formats of others: a C2SP note, its cosignature, and a COSE receipt, over the log as a block left it.
//!
//! They are signed with a validator's transport key. A consensus key signs votes and nothing else, and what it signed is
//! remembered; a transport key proves only who speaks, and these messages begin like nothing else that it signs.

use crate::{
    block::Header,
    codec,
    hash::{ChainId, Hash},
    key::{BadSignature, PublicKey, SecretKey, Signature},
    time::Timestamp,
};
use sha2::{Digest as _, Sha256};

/// The log as a block left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain, which names the log.
    pub chain: ChainId,
    /// How many records it has.
    pub size: u64,
    /// Its RFC 6962 root.
    pub root: Hash,
    /// The block's time.
    pub time: Timestamp,
}

/// In whose format a checkpoint is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// C2SP signed-note: the log's own signature under a checkpoint.
    Note,
    /// C2SP tlog-cosignature, Ed25519: a witness's signature, with the block's time.
    Cosignature,
    /// COSE Receipt (RFC 9942), Ed25519.
    Receipt,
}

impl Checkpoint {
    /// What a block says of the log.
    #[must_use]
    pub const fn of(header: &Header) -> Self {
        let Header { chain, time, log_size: size, log_root: root, .. } = *header;
        Self { chain, size, root, time }
    }

    /// The log's name: that of no host, and of one chain.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("minlian.invalid/{}", codec::hex(self.chain.as_bytes()))
    }

    /// The name of a validator among the log's witnesses.
    #[must_use]
    pub fn witness(&self, key: &PublicKey) -> String {
        format!("{}/{}", self.origin(), codec::hex(key.as_bytes()))
    }

    /// The text that is signed: three lines, each with its end.
    #[must_use]
    pub fn note(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin(), self.size, base64(self.root.as_bytes()))
    }

    /// The time of a cosignature: the block's, in whole seconds.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.time.0 / 1000
    }

    /// The protected header of a receipt by a key: algorithm `EdDSA`, the key itself as its id, the origin as issuer, and
    /// RFC 9162 with SHA-256 as the log's structure.
    #[must_use]
    pub fn protected(&self, key: &PublicKey) -> Vec<u8> {
        let mut bytes = vec![0xa4, 0x01, 0x27, 0x04];
        cbor(&mut bytes, 2, 32);
        bytes.extend_from_slice(key.as_bytes());
        let origin = self.origin();
        bytes.extend_from_slice(&[0x0f, 0xa1, 0x01]);
        cbor(&mut bytes, 3, length(origin.len()));
        bytes.extend_from_slice(origin.as_bytes());
        cbor(&mut bytes, 0, 395);
        bytes.push(0x01);
        bytes
    }

    fn message(&self, form: Form, key: &PublicKey) -> Vec<u8> {
        match form {
            Form::Note => self.note().into_bytes(),
            Form::Cosignature => {
                format!("cosignature/v1\ntime {}\n{}", self.seconds(), self.note()).into_bytes()
            }
            // The Sig_structure of RFC 9052 section 4.4, the root being the payload that is left out of the receipt.
            Form::Receipt => {
                let mut bytes = vec![0x84];
                cbor(&mut bytes, 3, 10);
                bytes.extend_from_slice(b"Signature1");
                let protected = self.protected(key);
                for part in [&protected[..], &[], self.root.as_bytes()] {
                    cbor(&mut bytes, 2, length(part.len()));
                    bytes.extend_from_slice(part);
                }
                bytes
            }
        }
    }

    /// It, signed in one of the forms.
    #[must_use]
    pub fn sign(&self, form: Form, secret: &SecretKey) -> Signature {
        secret.sign_checkpoint(&self.message(form, &secret.public()))
    }

    /// Whether a key signed it in one of the forms.
    ///
    /// # Errors
    /// When it did not.
    pub fn check(
        &self,
        form: Form,
        key: &PublicKey,
        found: &Signature,
    ) -> Result<(), BadSignature> {
        key.verify_checkpoint(&self.message(form, key), found)
    }

    /// A line of a signed note: the name, a hash that tells keys of one name apart, and what was signed.
    #[must_use]
    pub fn line(&self, form: Form, key: &PublicKey, signature: &Signature) -> String {
        let (name, kind, stamp) = match form {
            Form::Note | Form::Receipt => (self.origin(), 0x01, Vec::new()),
            Form::Cosignature => (self.witness(key), 0x04, self.seconds().to_be_bytes().to_vec()),
        };
        let named = [name.as_bytes(), b"\n", &[kind], key.as_bytes()].concat();
        let id = &<[u8; 32]>::from(Sha256::digest(&named))[..4];
        let signed = [id, &stamp, signature.as_bytes()].concat();
        format!("\u{2014} {name} {}\n", base64(&signed))
    }
}

/// The head of a CBOR item of a major type, in its shortest form.
pub fn cbor(bytes: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..24 => bytes.push(major | low(value)),
        24..0x100 => bytes.extend_from_slice(&[major | 24, low(value)]),
        0x100..0x1_0000 => {
            bytes.push(major | 25);
            bytes.extend_from_slice(&value.to_be_bytes()[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            bytes.push(major | 26);
            bytes.extend_from_slice(&value.to_be_bytes()[4..]);
        }
        _ => {
            bytes.push(major | 27);
            bytes.extend_from_slice(&value.to_be_bytes());
        }
    }
}

const fn low(value: u64) -> u8 {
    value.to_be_bytes()[7]
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("what is in memory can be counted")
}

/// Base64 of RFC 4648 section 4, padded.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three =
            [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            // Six bits are always a digit.
            let digit = usize::try_from(all >> shift & 63).ok().and_then(|six| DIGITS.get(six));
            let digit = digit.filter(|_| place <= chunk.len()).copied().unwrap_or(b'=');
            text.push(digit.into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_signed_in_each_form_and_in_no_other() {
        let checkpoint = Checkpoint {
            chain: ChainId(Hash([7; 32])),
            size: 300,
            root: Hash([9; 32]),
            time: Timestamp(1_700_000_000_999),
        };
        let secret = SecretKey::from_seed([3; 32]);
        let (key, forms) = (secret.public(), [Form::Note, Form::Cosignature, Form::Receipt]);
        for form in forms {
            let signature = checkpoint.sign(form, &secret);
            for other in forms {
                assert_eq!(checkpoint.check(other, &key, &signature).is_ok(), form == other);
            }
            let longer = Checkpoint { size: 301, ..checkpoint };
            // A receipt's signature is over the root alone; the size is under it by the path.
            assert_eq!(longer.check(form, &key, &signature).is_ok(), form == Form::Receipt);
            let rewritten = Checkpoint { root: Hash([8; 32]), ..checkpoint };
            assert!(rewritten.check(form, &key, &signature).is_err());
        }
        assert_eq!(checkpoint.seconds(), 1_700_000_000);
        let lines: Vec<String> = checkpoint.note().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], "300");
    }

    #[test]
    fn heads_of_cbor_are_the_shortest() {
        // RFC 8949 appendix A.
        for (value, wanted) in [
            (0u64, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
        ] {
            let mut bytes = Vec::new();
            cbor(&mut bytes, 0, value);
            assert_eq!(codec::hex(&bytes), wanted);
        }
        for (bytes, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), wanted);
        }
    }
}
