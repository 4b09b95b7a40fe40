//! An agent that holds keys and signs with them: `ssh-agent` and whatever speaks its protocol, over its socket.
//!
//! What is sent is the message that every transaction's signature is made of, and what comes back is a plain Ed25519 signature,
//! so the key may be in another process, in a token, or on a machine whose agent is forwarded. Nothing here knows a secret but
//! `add`, which hands one over.

use crate::keystore::KeyError;
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};
use types::{PublicKey, SecretKey, Signature, codec};

/// The longest message of an agent, bytes: a list of many keys.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// How long an agent may take: a person may have to touch a token.
const PATIENCE: Duration = Duration::from_secs(60);
/// The one kind of key that is asked for.
const KIND: &[u8] = b"ssh-ed25519";

// The numbers of the protocol (draft-ietf-sshm-ssh-agent).
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const ADD_IDENTITY: u8 = 17;

/// An agent, by its socket.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    socket: PathBuf,
}

impl Agent {
    /// The agent of this session: `SSH_AUTH_SOCK`.
    pub(crate) fn of_session() -> Result<Self, KeyError> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
        let socket = socket.ok_or(KeyError::NoAgent)?;
        Ok(Self::at(Path::new(&socket)))
    }

    /// The agent behind a socket.
    pub(crate) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// The Ed25519 keys it holds.
    pub(crate) fn keys(&self) -> io::Result<Vec<PublicKey>> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES)?;
        let mut rest = answer.as_slice();
        let count = number(&mut rest)?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (mut blob, _comment) = (text(&mut rest)?, text(&mut rest)?);
            if text(&mut blob)? == KIND {
                let bytes = text(&mut blob)?.try_into().map_err(|_long| strange())?;
                keys.extend(PublicKey::new(bytes).ok());
            }
        }
        Ok(keys)
    }

    /// The signature of a message by a key it holds.
    pub(crate) fn sign(&self, key: &PublicKey, message: &[u8]) -> io::Result<Signature> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &blob(key));
        put(&mut request, message);
        request.extend(0_u32.to_be_bytes());
        let answer = self.ask(&request, SIGN_RESPONSE)?;
        let mut signature = text(&mut answer.as_slice())?;
        if text(&mut signature)? != KIND {
            return Err(strange());
        }
        let spelled = format!("ed25519:{}", codec::hex(text(&mut signature)?));
        spelled.parse().map_err(|_long| strange())
    }

    /// Gives it a key to hold until it ends, or until `ssh-add -d` or `-D`.
    pub(crate) fn add(&self, secret: &SecretKey, comment: &str) -> io::Result<()> {
        let public = secret.public();
        let mut request = vec![ADD_IDENTITY];
        put(&mut request, KIND);
        put(&mut request, raw(&public));
        put(&mut request, &[secret.seed().as_slice(), raw(&public)].concat());
        put(&mut request, comment.as_bytes());
        self.ask(&request, SUCCESS).map(drop)
    }

    /// The body of an answer of the kind that is wanted.
    fn ask(&self, request: &[u8], wanted: u8) -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut framed = Vec::with_capacity(request.len() + 4);
        put(&mut framed, request);
        stream.write_all(&framed)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_large| strange())?;
        if !(1..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(strange());
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        if answer[0] == wanted {
            Ok(answer.split_off(1))
        } else {
            Err(io::Error::other(
                "the agent refuses: it does not hold the key, is locked, or a person said no",
            ))
        }
    }
}

fn strange() -> io::Error {
    io::Error::other("what answers is no agent that speaks the protocol of ssh-agent")
}

/// The bytes of a key, without the scheme.
fn raw(key: &PublicKey) -> &[u8] {
    key.as_bytes()
}

fn blob(key: &PublicKey) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, KIND);
    put(&mut blob, raw(key));
    blob
}

/// Bytes after their length, as the protocol has them.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a message is shorter than 4 GiB");
    out.extend(length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn number(rest: &mut &[u8]) -> io::Result<u32> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(strange)?;
    *rest = after;
    Ok(u32::from_be_bytes(*bytes))
}

fn text<'b>(rest: &mut &'b [u8]) -> io::Result<&'b [u8]> {
    let length = usize::try_from(number(rest)?).map_err(|_large| strange())?;
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(strange)?;
    *rest = after;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::net::UnixListener,
        process::{Command, Stdio},
        thread,
    };

    /// An agent that answers every request with the next of these, length and all.
    fn agent(name: &str, answers: Vec<Vec<u8>>) -> (Agent, tempdir::Folder) {
        let folder = tempdir::Folder::new(name);
        let socket = folder.0.join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let mut request = [0; 1024];
                // Whatever is asked.
                let _read = stream.read(&mut request);
                stream.write_all(&answer).unwrap_or_default();
            }
        });
        (Agent::at(&socket), folder)
    }

    mod tempdir {
        use std::{fs, path::PathBuf};

        pub(super) struct Folder(pub(super) PathBuf);

        impl Folder {
            pub(super) fn new(name: &str) -> Self {
                let path =
                    std::env::temp_dir().join(format!("minlian-{name}-{}", std::process::id()));
                fs::create_dir_all(&path).unwrap();
                Self(path)
            }
        }

        impl Drop for Folder {
            fn drop(&mut self) {
                fs::remove_dir_all(&self.0).unwrap_or_default();
            }
        }
    }

    #[test]
    fn what_is_no_agent_is_told_and_never_believed() {
        let framed = |body: &[u8]| {
            let mut out = Vec::new();
            put(&mut out, body);
            out
        };
        let key = SecretKey::from_seed([9; 32]).public();
        let answers = vec![
            framed(&[5]),
            framed(&[IDENTITIES]),
            framed(&[IDENTITIES, 0, 0, 0, 9, 0, 0, 0, 200]),
            framed(&[SIGN_RESPONSE, 0, 0, 0, 2, 0, 0]),
            vec![0xff; 8],
            vec![0, 0, 0, 0],
            vec![0, 0, 0, 9, 1],
            Vec::new(),
        ];
        let count = answers.len();
        let (agent, _folder) = agent("strange-agent", answers);
        for turn in 0..count {
            let failed =
                if turn == 3 { agent.sign(&key, b"message").err() } else { agent.keys().err() };
            assert!(failed.is_some(), "answer {turn}");
        }
    }

    #[test]
    fn the_agent_that_everybody_has_signs_what_a_file_would() {
        let folder = tempdir::Folder::new("ssh-agent");
        let socket = folder.0.join("agent");
        let started = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut process) = started else {
            println!("NOT RUN: no ssh-agent on this machine");
            return;
        };
        // The socket is there before the agent listens on it.
        while UnixStream::connect(&socket).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "ssh-agent does not start");
            thread::yield_now();
        }
        let agent = Agent::at(&socket);
        assert_eq!(agent.keys().unwrap(), []);
        let (secret, other) = (SecretKey::from_seed([9; 32]), SecretKey::from_seed([8; 32]));
        agent.add(&secret, "a test").unwrap();
        assert_eq!(agent.keys().unwrap(), [secret.public()]);
        let (chain, body) = (types::ChainId(types::Hash([3; 32])), b"a body");
        let message = types::Domain::Transaction.message(&chain, body);
        let signature = agent.sign(&secret.public(), &message).unwrap();
        assert_eq!(signature, secret.sign(types::Domain::Transaction, &chain, body));
        assert!(agent.sign(&other.public(), &message).is_err(), "a key it does not hold");
        process.kill().unwrap();
        process.wait().unwrap();
    }
}
