//! What all this runs on, and what it can do at best.

use crate::{
    VALIDATORS,
    figures::{Spread, micros, number, thousandths},
};
use node::clock;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};
use types::{
    ChainId, Hash, SecretKey,
    hash::{Purpose, hash},
    key::Domain,
};

/// What all this ran on.
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: u64,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) compiler: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let compiler = Command::new("rustc").arg("--version").stdin(Stdio::null()).output();
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            memory_mib: number(&memory) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .into(),
            compiler: compiler
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn print(&self) {
        let Self { cpu, cores, memory_mib, kernel, compiler } = self;
        println!(
            "machine       {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}; {compiler}"
        );
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory_mib": self.memory_mib, "kernel": self.kernel,
            "rustc": self.compiler, "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

/// What the machine can do at best, measured just now.
pub(crate) struct Limits {
    /// Of a key that signs again and again, as an application's does.
    pub(crate) verify_ns: u64,
    /// Of keys that come once: what the library's `verify_strict` takes.
    pub(crate) verify_strange_ns: u64,
    pub(crate) sign_ns: u64,
    pub(crate) hash_ns: u64,
    pub(crate) sync_us: Spread,
    /// Singly signed transactions a second if there were nothing but signatures: each is made once and checked by all.
    pub(crate) singles: u64,
    /// The same, if every key were a stranger.
    pub(crate) singles_strange: u64,
    /// The same, for those that were signed beforehand.
    pub(crate) singles_signed: u64,
}

impl Limits {
    pub(crate) fn measure(directory: &Path, cores: u64) -> anyhow::Result<Self> {
        let (secret, chain) = (SecretKey::from_seed([7; 32]), ChainId(Hash([1; 32])));
        let (public, body) = (secret.public(), [9; 160]);
        let signature = secret.sign(Domain::Transaction, &chain, &body);
        let verify_ns = best_of(100, || {
            let good = public.verify(Domain::Transaction, &chain, &body, &signature);
            assert!(good.is_ok(), "a signature just made verifies");
        });
        let strangers: Vec<_> = (0..=u8::MAX)
            .map(|seed| {
                let secret = SecretKey::from_seed([seed; 32]);
                (secret.public(), secret.sign(Domain::Transaction, &chain, &body))
            })
            .collect();
        let mut next = strangers.iter().cycle();
        let verify_strange_ns = best_of(256, || {
            let (public, signature) = next.next().expect("they come round again");
            let good = public.verify(Domain::Transaction, &chain, &body, signature);
            assert!(good.is_ok(), "a signature just made verifies");
        });
        let sign_ns = best_of(100, || {
            std::hint::black_box(secret.sign(Domain::Transaction, &chain, &body));
        });
        let hash_ns = best_of(10_000, || {
            std::hint::black_box(hash(Purpose::Record, &[&body[..64]]));
        });
        let mut file = fs::File::create(directory.join("sync"))?;
        let page = [7; 4096];
        let mut syncs = Vec::new();
        for _ in 0..300 {
            let started = clock::instant();
            file.write_all(&page)?;
            file.sync_data()?;
            syncs.push(micros(started.elapsed()));
        }
        let all = VALIDATORS * verify_ns;
        Ok(Self {
            verify_ns,
            verify_strange_ns,
            sign_ns,
            hash_ns,
            sync_us: Spread::of(syncs),
            singles: cores * 1_000_000_000 / (all + sign_ns),
            singles_strange: cores * 1_000_000_000 / (VALIDATORS * verify_strange_ns + sign_ns),
            singles_signed: cores * 1_000_000_000 / all,
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "limits        verify {} µs ({} a key that comes once), sign {} µs, hash of 64 bytes {} ns, append 4 KiB + fdatasync p50 {} ms p99 {} ms",
            thousandths(self.verify_ns),
            thousandths(self.verify_strange_ns),
            thousandths(self.sign_ns),
            self.hash_ns,
            thousandths(self.sync_us.p50),
            thousandths(self.sync_us.p99),
        );
        println!(
            "              all cores ÷ ({VALIDATORS} verifications + 1 signature): {} singly signed transactions/s ({} if signed beforehand, {} if each key came once)",
            self.singles, self.singles_signed, self.singles_strange,
        );
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "verify_ns": self.verify_ns, "verify_strange_ns": self.verify_strange_ns, "sign_ns": self.sign_ns, "hash_64_bytes_ns": self.hash_ns,
            "append_fdatasync_us": self.sync_us.json(), "singly_signed_per_second": self.singles,
            "singly_signed_beforehand_per_second": self.singles_signed,
            "singly_signed_by_strangers_per_second": self.singles_strange,
        })
    }
}

/// Nanoseconds that `work` takes: the least of many means, because a limit is what the machine does when left alone.
pub(crate) fn best_of(times: u64, mut work: impl FnMut()) -> u64 {
    let mean = |_| {
        let started = clock::instant();
        (0..times).for_each(|_| work());
        u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX) / times
    };
    (0..30).map(mean).min().unwrap_or_default()
}
