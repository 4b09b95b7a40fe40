//! Compiles the verifier to WebAssembly, so that the page a node serves checks with the very code of the command.
//!
//! Where the target is not installed the page is served without it and says so; `scripts/setup` installs it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";
/// What the verifier is made of.
const SOURCES: [&str; 5] = ["types", "proof", "records", "verdict", "page"];
/// What this build is told of itself and must not reach the other one.
const OURS: [&str; 10] = [
    "CARGO_BUILD_",
    "CARGO_CFG_",
    "CARGO_ENCODED_",
    "CARGO_FEATURE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "DEP_",
    "RUSTC",
];

fn main() {
    let variable = |name: &str| PathBuf::from(env::var_os(name).unwrap_or_default());
    let (out, manifest) = (variable("OUT_DIR"), variable("CARGO_MANIFEST_DIR"));
    let root = manifest.join("..");
    for name in SOURCES {
        tell(&format!("rerun-if-changed={}", root.join("crates").join(name).display()));
    }
    for name in ["Cargo.toml", "Cargo.lock", "node/build.rs"] {
        tell(&format!("rerun-if-changed={}", root.join(name).display()));
    }
    let made = out.join("page.wasm");
    if !is_installed(&variable("RUSTC")) {
        let how = format!("rustup target add {TARGET}");
        tell(&format!(
            "warning=the page at /verify will have no verifier in it: {how}, then build again"
        ));
        fs::write(&made, b"").expect("cargo gives a folder to write to");
        return;
    }
    // Beside the profiles: the build that runs this holds the lock of its own folder.
    let folder = out.ancestors().nth(4).unwrap_or(&out).join("page");
    compile(&variable("CARGO"), &root, &folder);
    let compiled = folder.join(TARGET).join("page").join("page.wasm");
    fs::copy(&compiled, &made).expect("what was compiled can be copied");
}

fn is_installed(rustc: &Path) -> bool {
    let output =
        Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn compile(cargo: &Path, root: &Path, folder: &Path) {
    let mut command = Command::new(cargo);
    for (name, _value) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            command.env_remove(name);
        }
    }
    // The same bytes wherever they are built, with no folder of this machine in them.
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let root = fs::canonicalize(root).expect("the repository is where its crate is");
    let mut flags = format!("--remap-path-prefix={}=minlian", root.display());
    if let Some(home) = home {
        flags.push_str(&format!("\u{1f}--remap-path-prefix={}=cargo", home.display()));
    }
    let status = command
        .current_dir(&root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--profile",
            "page",
            "--package",
            "page",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(folder)
        .status()
        .expect("cargo can be run by what it runs");
    assert!(status.success(), "the verifier for browsers does not compile: see above");
}

fn tell(what: &str) {
    println!("cargo::{what}");
}
