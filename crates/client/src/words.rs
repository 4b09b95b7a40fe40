//! What the command says of itself to shells and to `man`, and the keys it hands to an agent.

use crate::{
    arguments::Arguments,
    console::Console,
    exit::{Exit, Stop},
    speech::say,
};
use clap::{Args, CommandFactory as _, Subcommand};
use client::Signer;
use std::path::PathBuf;

/// What a shell needs to complete this command's words
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian completions bash > /etc/bash_completion.d/minlian")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Write the manual's pages, one a subcommand, to a directory
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The directory; it must be there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Keys that ssh-agent holds: --key agent:AGENCY signs with one
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    act: KeysAct,
}

#[derive(Debug, Subcommand)]
enum KeysAct {
    /// Hand the key of a file to the agent of this session, until it ends or `ssh-add -D`
    #[command(after_help = "Example:\n  minlian agent add keys/issuer.json\n  \
                            minlian submit licences.ndjson --key agent:11350000MXDEX01033 --node …")]
    Add {
        /// The key file, or env:NAME
        #[arg(value_name = "KEY")]
        key: PathBuf,
        /// JSON on standard output
        #[arg(long)]
        json: bool,
    },
}

/// Prints the completions of a shell.
pub(crate) fn completions(what: &Completions, console: &Console) -> Result<Exit, Stop> {
    let mut text = Vec::new();
    clap_complete::generate(what.shell, &mut Arguments::command(), "minlian", &mut text);
    console.data(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Done)
}

/// Writes the manual.
pub(crate) fn man(what: &Man) -> Result<Exit, Stop> {
    clap_mangen::generate_to(Arguments::command(), &what.directory)
        .map_err(|why| Stop::file(&what.directory, why))?;
    Ok(Exit::Done)
}

/// Hands a key to the agent.
pub(crate) fn keys(what: &Keys, console: &Console) -> Result<Exit, Stop> {
    let KeysAct::Add { key, json } = &what.act;
    let signer = Signer::find(key).map_err(|why| Stop::key(key, why))?;
    signer.lend().map_err(|why| Stop::key(key, why))?;
    let (agency, public) = (*signer.agency(), signer.public());
    if *json {
        let row = serde_json::json!({ "agency": agency, "public": public });
        console.data(&row.to_string())?;
    } else {
        console.talk(&say!(
            console.lang(),
            "the agent holds {public}; sign with --key agent:{agency}, forget it with ssh-add -D",
            "代理已持有 {public}；签名用 --key agent:{agency}，清除用 ssh-add -D"
        ));
    }
    Ok(Exit::Done)
}
