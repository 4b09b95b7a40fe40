//! What one operator decides, and where it was said: node.toml, over it the environment, over that the command's own flags.
//!
//! A setting is named by its place in node.toml. In the environment that is `MINLIAN_RESERVE_MIB`, or `MINLIAN_TLS__LISTEN` for
//! one in a table; on the command line `--set tls.listen=…`, and `--log` for `log`. A value is written as in node.toml; words
//! that are no TOML are a string. (Four dozen lines: a library for it would take every variable that begins like ours for a
//! setting, and those of other commands, such as `MINLIAN_HOME`, are none.)

use crate::home::{CONFIG, Config};
use anyhow::{Context as _, bail};
use core::fmt;
use std::{collections::BTreeMap, fs, path::Path, sync::OnceLock};
use toml::{Table, Value};

/// The settings that the environment and the command line may give.
const FIELDS: [&str; 14] = [
    "genesis",
    "data",
    "consensus_key",
    "transport_key",
    "signer",
    "api",
    "listen",
    "reserve_mib",
    "log",
    "peers",
    "gateway",
    "tls",
    "signer_tls",
    "retention",
];

/// Where a value was said; the later one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is what holds without.
    Default,
    /// In node.toml.
    File,
    /// In this variable.
    Environment(String),
    /// By this flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File => f.pad(CONFIG),
            Self::Environment(name) | Self::Flag(name) => f.pad(name),
        }
    }
}

/// One setting that was said beside node.toml.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    path: Vec<String>,
    value: Value,
    origin: Origin,
}

/// What the command line says, for as long as the process lives. The environment is as lasting, and as global.
static FLAGS: OnceLock<Vec<Said>> = OnceLock::new();

/// Notes what the command line says of settings, once, before anything is read: `KEY=VALUE` each, and the log's filter.
///
/// # Errors
/// When one of them is no setting.
pub fn take_flags(set: &[String], log: Option<&str>) -> anyhow::Result<()> {
    let said = |words: &String| {
        let (name, value) =
            words.split_once('=').with_context(|| format!("--set {words}: not KEY=VALUE"))?;
        let path: Vec<_> = name.split('.').map(str::to_owned).collect();
        if !path.first().is_some_and(|first| FIELDS.contains(&first.as_str())) {
            bail!("--set {words}: there is no setting {name:?}; they are {}", FIELDS.join(", "));
        }
        Ok(Said { path, value: read_value(value), origin: Origin::Flag("--set".into()) })
    };
    let mut all: Vec<Said> = set.iter().map(said).collect::<anyhow::Result<_>>()?;
    if let Some(filter) = log {
        // The flag and its variable are one to the command line.
        let variable = environment().any(|(name, said)| name == "MINLIAN_LOG" && said == filter);
        let origin = if variable {
            Origin::Environment("MINLIAN_LOG".into())
        } else {
            Origin::Flag("--log".into())
        };
        all.push(Said { path: vec!["log".into()], value: Value::String(filter.into()), origin });
    }
    FLAGS.set(all).unwrap_or(());
    Ok(())
}

/// What holds in a validator's directory, paths as they were written, with where each value was said.
#[derive(Clone, Debug)]
pub struct Layers {
    /// What holds.
    pub config: Config,
    /// Of each value by its name, such as `tls.listen`: what it is, and who says so.
    pub values: BTreeMap<String, (Value, Origin)>,
}

/// Reads a directory's node.toml, and what was said beside it.
///
/// # Errors
/// When the file cannot be read, or something in it or beside it is no setting.
pub fn read(home: &Path) -> anyhow::Result<Layers> {
    let path = home.join(CONFIG);
    let text = fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}; is this a validator's directory?", path.display())
    })?;
    let mut said = from_environment(environment());
    said.extend(FLAGS.get().into_iter().flatten().cloned());
    over(&text, &said).with_context(|| format!("in {}", path.display()))
}

/// The variables that are text; others are nobody's settings.
fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Said> {
    let setting = |(name, value): (String, String)| {
        let path: Vec<_> =
            name.strip_prefix("MINLIAN_")?.to_lowercase().split("__").map(str::to_owned).collect();
        let first = path.first().filter(|first| FIELDS.contains(&first.as_str()))?;
        // The command line has it, with its flag.
        (first != "log").then(|| Said {
            path,
            value: read_value(&value),
            origin: Origin::Environment(name),
        })
    };
    let mut said: Vec<_> = variables.filter_map(setting).collect();
    // A whole table before what is in it.
    said.sort_by(|one, other| one.path.cmp(&other.path));
    said
}

fn read_value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>();
    let value = parsed.ok().filter(|table| table.len() == 1).and_then(|mut it| it.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn over(text: &str, said: &[Said]) -> anyhow::Result<Layers> {
    let mut table: Table = toml::from_str(text)?;
    let mut origins: BTreeMap<String, Origin> =
        leaves(&table).into_keys().map(|name| (name, Origin::File)).collect();
    for Said { path, value, origin } in said {
        put(&mut table, path, value.clone())
            .with_context(|| format!("{origin}: {} is no table", path.join(".")))?;
        let name = path.join(".");
        let below = format!("{name}.");
        origins.retain(|old, _| *old != name && !old.starts_with(&below));
        origins.insert(name, origin.clone());
    }
    // Of the file alone the place of a fault is told as well.
    let config: Config = if said.is_empty() {
        toml::from_str(text)?
    } else {
        let names: Vec<String> =
            said.iter().map(|said| format!("{} ({})", said.path.join("."), said.origin)).collect();
        Value::Table(table).try_into().with_context(|| format!("with {}", names.join(", ")))?
    };
    let origin = |name: &str| {
        // A table that was given as a whole is the origin of what is in it.
        let mut part = Some(name);
        while let Some(here) = part {
            if let Some(found) = origins.get(here) {
                return found.clone();
            }
            part = here.rsplit_once('.').map(|(above, _)| above);
        }
        Origin::Default
    };
    let values = leaves(&Table::try_from(&config)?);
    let values = values.into_iter().map(|(name, value)| {
        let origin = origin(&name);
        (name, (value, origin))
    });
    Ok(Layers { values: values.collect(), config })
}

fn put(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut here = table;
    for name in above {
        here = here.entry(name).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
    }
    here.insert(last.clone(), value);
    Some(())
}

/// Every value by its name; a list is one.
fn leaves(table: &Table) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => {
                let inner = leaves(inner).into_iter();
                all.extend(inner.map(|(below, value)| (format!("{name}.{below}"), value)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => drop(all.insert(name.clone(), value.clone())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
genesis = \"genesis.toml\"
data = \"data\"
consensus_key = \"c.json\"
transport_key = \"t.json\"
api = \"127.0.0.1:1\"
listen = [\"127.0.0.1:2\"]
log = \"info\"
[tls]
listen = \"127.0.0.1:3\"
certificate = \"tls.pem\"
key = \"tls.key\"
";

    fn variables(all: &[(&str, &str)]) -> Vec<Said> {
        let owned = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        from_environment(owned)
    }

    fn flag(path: &str, value: &str) -> Said {
        let path = path.split('.').map(str::to_owned).collect();
        Said { path, value: read_value(value), origin: Origin::Flag("--set".into()) }
    }

    #[test]
    fn a_flag_counts_before_the_environment_before_the_file_before_what_holds_without() {
        let mut said = variables(&[
            ("MINLIAN_API", "127.0.0.1:10"),
            ("MINLIAN_RESERVE_MIB", "7"),
            ("MINLIAN_TLS__LISTEN", "127.0.0.1:30"),
            ("MINLIAN_LISTEN", "[\"127.0.0.1:20\", \"[::1]:20\"]"),
            // Not settings, or not here.
            ("MINLIAN_HOME", "/nowhere"),
            ("MINLIAN_LOG", "debug"),
            ("MINLIAN_TEST_API", "x"),
            ("OTHER_API", "x"),
        ]);
        said.extend([flag("api", "127.0.0.1:100"), flag("retention.keep_days", "9")]);
        let layers = over(FILE, &said).unwrap();
        let variable = |name: &str| Origin::Environment(name.into());
        for (name, value, origin) in [
            ("api", "\"127.0.0.1:100\"", Origin::Flag("--set".into())),
            ("retention.keep_days", "9", Origin::Flag("--set".into())),
            ("reserve_mib", "7", variable("MINLIAN_RESERVE_MIB")),
            ("tls.listen", "\"127.0.0.1:30\"", variable("MINLIAN_TLS__LISTEN")),
            ("tls.key", "\"tls.key\"", Origin::File),
            ("listen", "[\"127.0.0.1:20\", \"[::1]:20\"]", variable("MINLIAN_LISTEN")),
            ("log", "\"info\"", Origin::File),
            ("peers", "[]", Origin::Default),
        ] {
            let (found, from) = &layers.values[name];
            assert_eq!((found.to_string().as_str(), from), (value, &origin), "{name}");
        }
        let config = layers.config;
        assert_eq!((config.api.port(), config.reserve_mib, config.listen.len()), (100, 7, 2));
        assert_eq!(config.tls.unwrap().listen.port(), 30);
        assert_eq!(config.retention.keep_days, Some(9));
        let alone = over(FILE, &[]).unwrap().values;
        assert_eq!(alone["reserve_mib"], (Value::Integer(512), Origin::Default));
    }

    #[test]
    fn a_table_as_a_whole_takes_the_place_of_the_files() {
        let table = "{ listen = \"127.0.0.1:31\", certificate = \"a\", key = \"b\" }";
        let said = variables(&[("MINLIAN_TLS", table), ("MINLIAN_TLS__KEY", "c")]);
        let layers = over(FILE, &said).unwrap();
        let (key, from) = &layers.values["tls.key"];
        assert_eq!(
            (key.as_str(), from),
            (Some("c"), &Origin::Environment("MINLIAN_TLS__KEY".into()))
        );
        let (_, from) = &layers.values["tls.certificate"];
        assert_eq!(*from, Origin::Environment("MINLIAN_TLS".into()));
    }

    #[test]
    fn what_is_wrong_is_told_with_who_said_it() {
        let wrong = |said: &[Said]| format!("{:#}", over(FILE, said).unwrap_err());
        let found = wrong(&variables(&[("MINLIAN_RESERVE_MIB", "much")]));
        assert!(found.contains("MINLIAN_RESERVE_MIB"), "{found}");
        let found = wrong(&variables(&[("MINLIAN_API__PORT", "1")]));
        assert!(found.contains("MINLIAN_API__PORT: api.port is no table"), "{found}");
        let found = wrong(&[flag("tls.lisen", "x")]);
        assert!(found.contains("lisen"), "{found}");
        let found = format!("{:#}", over(&FILE.replace("api =", "apo ="), &[]).unwrap_err());
        assert!(found.contains("line 5") && found.contains("apo"), "{found}");
        for words in ["api", "apo=1", "=1", "home=x"] {
            assert!(take_flags(&[words.to_owned()], None).is_err(), "{words}");
        }
    }

    #[test]
    fn every_field_of_the_configuration_can_be_given() {
        let layers = over(FILE, &[]).unwrap();
        for name in layers.values.keys() {
            let first = name.split('.').next().unwrap();
            assert!(FIELDS.contains(&first), "{name}");
        }
    }
}
