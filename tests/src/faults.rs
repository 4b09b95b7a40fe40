//! Validators whose disk, memory or files fail when they are told to, and what to look at afterwards.

use crate::{Network, program, program::tool, repository};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use types::Height;

/// All validators of a [`Network`].
pub const EVERYONE: [u16; 4] = [1, 2, 3, 4];
/// How long anything that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A path as text.
#[must_use]
pub fn path(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// A number that a variable of the environment may replace: for runs that are longer than those of every day.
#[must_use]
pub fn number(variable: &str, otherwise: u64) -> u64 {
    let Some(value) = std::env::var_os(variable) else { return otherwise };
    let value = value.into_string().expect("it is text");
    value.parse().expect("it is a number")
}

/// Looks again and again until it is so.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The disk that fails, compiled once. It needs the C compiler that the build needs anyway.
fn faulty_disk() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = program::folder().join("faulty-disk.so");
        let draft = program::folder().join(format!("faulty-disk-{}", std::process::id()));
        let source = repository().join("tests/faults/disk.c");
        let ran = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&draft, &source])
            .arg("-ldl")
            .output()
            .expect("cc is there: RocksDB was built with it");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        // Another process may be using the one that is there.
        fs::rename(draft, &out).expect("the folder of the programs can be written");
        out
    })
}

/// A validator that the test started itself, to see its exit code and to put a faulty disk under it.
#[derive(Debug)]
pub struct Node {
    child: Child,
    home: PathBuf,
    scratch: PathBuf,
    log_from: usize,
}

impl Node {
    /// Starts a validator that does not run, over a disk that obeys these rules.
    #[must_use]
    pub fn start(network: &Network, validator: u16, rules: &str) -> Self {
        Self::of(&home(network, validator), network.scratch(), rules, &[])
    }

    /// Starts a validator that does not run, by a command that runs others: `prlimit --nofile=64`.
    #[must_use]
    pub fn within(network: &Network, validator: u16, command: &[&str]) -> Self {
        Self::spawn(&home(network, validator), network.scratch(), "", command, &[])
    }

    /// Starts the validator whose directory this is, with flags of its own.
    #[must_use]
    pub fn of(home: &Path, scratch: &Path, rules: &str, flags: &[&str]) -> Self {
        Self::spawn(home, scratch, rules, &[], flags)
    }

    fn spawn(home: &Path, scratch: &Path, rules: &str, before: &[&str], flags: &[&str]) -> Self {
        let home = home.canonicalize().expect("a validator has a directory");
        let name = home.file_name().expect("it has a name").display().to_string();
        // Beside the directory, which may lie on a disk that is full.
        let scratch = scratch.join(format!("faults-{name}"));
        fs::create_dir_all(&scratch).expect("there is room for rules");
        for (name, text) in [("control", rules), ("log", "")] {
            fs::write(scratch.join(name), text).expect("there is room for rules");
        }
        let log = home.join("node.log");
        let log_from = fs::metadata(&log).map_or(0, |found| found.len());
        let log = File::options().create(true).append(true).open(log).expect("it can be logged");
        let mut command = match before {
            [] => program::command("minlian-node"),
            [first, rest @ ..] => {
                let mut command = program::prepared(Path::new(first));
                command.args(rest).arg(program::path("minlian-node"));
                command
            }
        };
        let child = command
            .args(["start", "--home"])
            .arg(&home)
            .args(flags)
            .env("LD_PRELOAD", faulty_disk())
            .env("MINLIAN_FAULT_PREFIX", &home)
            .env("MINLIAN_FAULT_CONTROL", scratch.join("control"))
            .env("MINLIAN_FAULT_LOG", scratch.join("log"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a program that is there starts");
        let log_from = usize::try_from(log_from).expect("a log fits into memory");
        Self { child, home, scratch, log_from }
    }

    /// Replaces the rules that its disk obeys.
    pub fn rules(&self, rules: &str) {
        // Whole or not at all: the disk reads it at every call.
        let new = self.scratch.join("control.new");
        fs::write(&new, rules).expect("there is room for rules");
        fs::rename(new, self.scratch.join("control")).expect("there is room for rules");
    }

    /// The faults that were injected.
    #[must_use]
    pub fn injected(&self) -> Vec<String> {
        let text = fs::read_to_string(self.scratch.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What this process has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let text = fs::read(self.home.join("node.log")).unwrap_or_default();
        String::from_utf8_lossy(text.get(self.log_from..).unwrap_or_default()).into_owned()
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process numbers are small");
        kill(Pid::from_raw(pid), signal).expect("a child can be signalled until it was waited for");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// The exit code if it has ended; of one that a signal ended, 128 and the signal's number.
    pub fn ended(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = self.child.try_wait().expect("a child can be asked")?;
        status.code().or_else(|| Some(128 + status.signal()?))
    }

    /// The same, once it has ended by itself.
    pub async fn end(&mut self) -> Option<i32> {
        let what = format!("{} ends", self.home.display());
        Some(eventually(&what, async || self.ended()).await)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(15)..];
            crate::say(&format!("{}:\n{}", self.home.display(), last.join("\n")));
        }
        // It may have ended long ago.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// The directory of a validator.
#[must_use]
pub fn home(network: &Network, validator: u16) -> PathBuf {
    network.network_home().join(format!("v{validator}"))
}

/// `GET /readyz`: the status, and what stands in the way; nothing while nobody answers.
pub async fn readiness(network: &Network, validator: u16) -> Option<(u16, String)> {
    let answer = crate::get(format!("{}/readyz", network.url(validator))).await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.text().await.ok()?))
}

/// Waits until a validator is not ready, and says so in these words.
pub async fn not_ready(network: &Network, validator: u16, words: &str) -> String {
    eventually(&format!("v{validator} says: {words}"), async || {
        let (status, why) = readiness(network, validator).await?;
        (status == 503 && why.contains(words)).then_some(why)
    })
    .await
}

/// Waits until a validator is ready.
pub async fn ready(network: &Network, validator: u16) {
    eventually(&format!("v{validator} is ready"), async || {
        readiness(network, validator).await.filter(|(status, _)| *status == 200)
    })
    .await;
}

/// The seats that a validator holds evidence against.
pub async fn accused(network: &Network, validator: u16) -> Vec<u16> {
    let answer = crate::get(format!("{}/v1/evidence", network.url(validator))).await;
    let answer = answer.expect("a validator that runs answers");
    let list: client::api::EvidenceList = answer.json().await.expect("it is a list");
    list.evidence.iter().map(|evidence| evidence.seat).collect()
}

/// Everybody has the same chain, it goes on, this validator votes, and nobody has said two things.
pub async fn all_is_well(network: &Network, validator: u16) {
    let height = network.node_status(1).await.height;
    network.votes_again(validator, height).await;
    network.agreed(&EVERYONE, Height(height.0 + 1)).await;
    for other in EVERYONE {
        let accused = accused(network, other).await;
        assert!(accused.is_empty(), "v{other} accuses seats {accused:?}");
    }
}

/// A copy of a validator's directory that listens elsewhere.
#[must_use]
pub fn twin(network: &Network, validator: u16) -> PathBuf {
    let (from, to) =
        (home(network, validator), network.network_home().join(format!("twin{validator}")));
    copy(&from, &to);
    let config = to.join("node.toml");
    let text = fs::read_to_string(&config).expect("it was just copied");
    let free = || {
        let socket = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        socket.local_addr().expect("it is bound").port()
    };
    let text = text.lines().map(|line| {
        if line.starts_with("api = ") {
            format!("api = \"127.0.0.1:{}\"", free())
        } else if line.starts_with("listen = ") {
            format!("listen = [\"127.0.0.1:{}\"]", free())
        } else {
            line.to_owned()
        }
    });
    fs::write(config, text.collect::<Vec<_>>().join("\n")).expect("it can be written");
    to
}

/// Copies a directory, with all that makes its files what they are.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp starts");
    assert!(copied.success(), "cannot copy {} to {}", from.display(), to.display());
}

/// Inverts one bit of a file, in its place.
pub fn flip(file: &Path, at: u64) {
    use std::os::unix::fs::FileExt as _;
    let file = File::options().read(true).write(true).open(file).expect("the file is there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("the file is that long");
    file.write_all_at(&[byte[0] ^ 0x10], at).expect("it can be written");
}

/// A small ext4 of its own, in a file, mounted in the place of a directory; gone when this is.
#[derive(Debug)]
pub struct SmallDisk {
    place: PathBuf,
    image: PathBuf,
}

impl SmallDisk {
    /// Moves a directory onto a disk of so many MiB that is mounted in its place.
    ///
    /// # Errors
    /// Why that cannot be done here: it needs root, loop devices and ext4.
    pub fn under(place: &Path, image: PathBuf, mib: u64) -> Result<Self, String> {
        let made = File::create(&image).and_then(|file| file.set_len(mib << 20));
        made.map_err(|error| error.to_string())?;
        tool("mkfs.ext4", &["-q", "-F", "-m", "0", "-J", "size=8", path(&image)])?;
        let aside = place.with_extension("made");
        fs::rename(place, &aside)
            .and_then(|()| fs::create_dir(place))
            .map_err(|error| error.to_string())?;
        let disk = Self { place: place.to_owned(), image };
        disk.mount()?;
        tool("cp", &["-a", &format!("{}/.", path(&aside)), path(place)])?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        tool("mount", &["-o", "loop,noatime", path(&self.image), path(&self.place)])
    }

    /// Mounts it anew: `ro`, `rw`, or `abort`, as the kernel does itself after an error.
    pub fn remount(&self, how: &str) {
        let done = tool("mount", &["-o", &format!("remount,{how}"), path(&self.place)]);
        done.expect("what was mounted can be mounted anew");
    }

    /// Takes it off, and puts it on again, as after a repair.
    pub fn repair(&self) {
        tool("umount", &[path(&self.place)]).expect("nobody uses it");
        self.mount().expect("it is sound");
    }

    /// Fills it until so many bytes are left; as far as it goes for 0.
    pub fn fill(&self, leave: u64) {
        use std::io::Write as _;
        let filler = self.place.join("filler");
        let mut file = File::options().create(true).append(true).open(filler).expect("it is made");
        loop {
            let found = nix::sys::statvfs::statvfs(&self.place).expect("it is mounted");
            let free = found.blocks_available().saturating_mul(found.fragment_size());
            // By the block, or the last of them would stay.
            let bytes = usize::try_from(free.saturating_sub(leave).clamp(4096, 1 << 20));
            let written = file.write(&vec![7; bytes.expect("at most a MiB")]);
            let synced = written.and_then(|bytes| file.sync_all().map(|()| bytes));
            if (leave > 0 && free <= leave) || !synced.is_ok_and(|bytes| bytes > 0) {
                return;
            }
        }
    }

    /// Gives back what was filled.
    pub fn empty(&self) {
        fs::remove_file(self.place.join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever still lies there is the test's, and nobody needs it.
        tool("umount", &["-l", path(&self.place)]).unwrap_or_default();
    }
}
