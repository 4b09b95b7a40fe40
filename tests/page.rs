//! The verifier that nodes put into their page: the very bytes, run, and held against the command of the same name.

#![cfg(test)]

use proof::{LineProof, encode_line, line_leaf};
use serde_json::{Value, json};
use std::fs;
use tests::{Chain, licence, operation, program, program::Ran, repository, vectors::folder};
use types::{
    Digest, Hash, Operation,
    bulk::BatchAction,
    codec::unhex,
    operation::Action,
    subject::{Kind, Part, Status},
};
use verdict::speech::{self, Lang};
use wasmi::{Engine, Instance, Linker, Memory, Module, Store};

/// The page as a node serves it, and the verifier in it.
fn verifier() -> Vec<u8> {
    let page = node::api::verify_page();
    let begin = page.split_once("id=\"verifier\">").expect("the page has a place for it").1;
    let text = begin.split_once("</script>").expect("which ends").0;
    assert!(
        !text.is_empty(),
        "the node was built without the verifier: rustup target add wasm32-unknown-unknown, then build again"
    );
    unbase64(text)
}

fn unbase64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|one| *one == letter).expect("a letter of base64");
        held = (held << 6) | u32::try_from(value).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    bytes
}

/// What a browser would do: one instance for one check.
struct Page {
    engine: Engine,
    module: Module,
}

struct Running {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Page {
    fn open() -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, &verifier()[..]).unwrap();
        Self { engine, module }
    }

    fn start(&self) -> Running {
        let mut store = Store::new(&self.engine, ());
        let linker = Linker::<()>::new(&self.engine);
        let instance = linker.instantiate_and_start(&mut store, &self.module).unwrap();
        let memory = instance.get_memory(&store, "memory").unwrap();
        Running { store, instance, memory }
    }

    /// The answer to a proof, a trust root and a document, by the names that a command would be given.
    fn answer(&self, lang: &str, proof: &[u8], root: &str, document: Option<&[u8]>) -> Value {
        let mut asked = json!({ "lang": lang, "proof": "a.proof", "root": "root.toml" });
        let mut running = self.start();
        running.bring(page::PROOF, proof);
        running.bring(page::ROOT, root.as_bytes());
        if let Some(document) = document {
            asked["document"] = "document.txt".into();
            running.bring(page::DOCUMENT, document);
        }
        running.bring(page::ASKED, asked.to_string().as_bytes());
        running.check()
    }
}

impl Running {
    fn call(&mut self, name: &str, values: &[usize]) -> usize {
        let number = |value: usize| i32::try_from(value).unwrap();
        let found = match values {
            [] => {
                let f = self.instance.get_typed_func::<(), i32>(&self.store, name).unwrap();
                f.call(&mut self.store, ())
            }
            [one] => {
                let f = self.instance.get_typed_func::<i32, i32>(&self.store, name).unwrap();
                f.call(&mut self.store, number(*one))
            }
            [one, two, ..] => {
                let f = self.instance.get_typed_func::<(i32, i32), i32>(&self.store, name).unwrap();
                f.call(&mut self.store, (number(*one), number(*two)))
            }
        };
        usize::try_from(found.unwrap()).unwrap()
    }

    fn bring(&mut self, part: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(self.call("most", &[part]))];
        let place = self.call("room", &[part, bytes.len()]);
        self.memory.write(&mut self.store, place, bytes).unwrap();
    }

    fn check(&mut self) -> Value {
        let length = self.call("check", &[]);
        let place = self.call("answer_at", &[]);
        let mut text = vec![0; length];
        self.memory.read(&self.store, place, &mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// A folder with what the command is given, and the page beside it.
struct Desk {
    folder: tempfile::TempDir,
    page: Page,
    checked: usize,
}

impl Desk {
    fn open() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), page: Page::open(), checked: 0 }
    }

    /// Asks both, in both languages, and gives the page's answer in English.
    fn ask(&mut self, case: &str, proof: &[u8], root: &str, document: Option<&[u8]>) -> Value {
        let file = |name: &str, bytes: &[u8]| {
            let path = self.folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let mut words = vec!["verify".to_owned(), file("a.proof", proof)];
        words.extend(["--trust-root".to_owned(), file("root.toml", root.as_bytes())]);
        if let Some(document) = document {
            words.extend(["--document".to_owned(), file("document.txt", document)]);
        }
        let run = |more: &[&str]| {
            let words = words.iter().map(String::as_str).chain(more.iter().copied());
            Ran::of(&program::command("minlian").args(words).output().unwrap())
        };
        let mut answers = ["zh-CN", "en"].map(|lang| {
            let answer = self.page.answer(lang, proof, root, document);
            let command = run(&["--lang", lang]);
            assert_eq!(answer["text"].as_str().unwrap(), command.stdout.trim_end(), "{case}");
            let code = match answer["result"].as_str().unwrap() {
                "proven" => 0,
                "not-proven" => 1,
                _ => 3,
            };
            assert_eq!(code, command.code, "{case}");
            assert!(answer["word"].is_string() && answer["mark"].is_string(), "{case}");
            answer
        });
        let [_, answer] = &mut answers;
        let command: Value =
            serde_json::from_str(&run(&["--lang", "en", "--json"]).stdout).unwrap();
        assert_eq!(answer["json"], command, "{case}");
        self.checked += 1;
        answer.take()
    }
}

fn committed(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

#[test]
fn the_verifier_in_the_page_can_reach_nothing() {
    let page = Page::open();
    assert_eq!(page.module.imports().count(), 0, "what it does not import it cannot call");
    let functions: Vec<_> = page
        .module
        .exports()
        .filter(|export| export.ty().func().is_some())
        .map(|export| export.name().to_owned())
        .collect();
    assert_eq!(functions, ["answer_at", "check", "most", "room"]);
    // Nor does it tell of the machine it was made on.
    let text = String::from_utf8_lossy(&verifier()).into_owned();
    for folder in ["/root/", "/home/", repository().to_str().unwrap()] {
        assert!(!text.contains(folder), "{folder}");
    }
}

#[test]
fn the_page_says_of_every_vector_what_the_command_says() {
    let mut desk = Desk::open();
    let bytes = |value: &Value| unhex(value.as_str().unwrap()).unwrap();
    for (name, list) in [
        ("proofs.json", "proofs"),
        ("proofs-1.json", "proofs"),
        ("refusals.json", "refusals"),
        ("presentations.json", "presentations"),
    ] {
        let file = committed(name);
        let common = file["trust_root"].as_str().or_else(|| file["genesis"].as_str()).unwrap();
        for row in file[list].as_array().unwrap() {
            let root = row["trust_root"].as_str().unwrap_or(common);
            let case = row["name"].as_str().or_else(|| row["description"].as_str()).unwrap();
            let mut carriers = vec![bytes(&row["bytes"])];
            carriers.extend(row["armor"].as_str().map(|text| text.as_bytes().to_vec()));
            for carrier in carriers {
                let answer = desk.ask(case, &carrier, root, None);
                let wanted = row["verdict"].as_str().or_else(|| row["result"].as_str()).unwrap();
                // What is no presentation may be a proof; the rows of that file are about presentations.
                if list != "presentations" {
                    assert_eq!(answer["result"], wanted, "{name}: {case}");
                }
            }
        }
    }
    assert!(desk.checked > 90, "{}", desk.checked);
}

/// A proof that an operation was recorded, as a file, and the trust root it holds against.
fn recorded(operation: Operation) -> (Vec<u8>, String) {
    let mut chain = Chain::new("page", 3);
    let agency = chain.genesis().agencies[0].code;
    let record = operation.record(&agency);
    let tx = chain.transaction(0, 1, vec![operation]);
    chain.commit(vec![tx]);
    (proof::encode(&chain.prove_record(&record)), chain.genesis().to_toml())
}

#[test]
fn the_page_holds_documents_and_lines_against_proofs_as_the_command_does() {
    let mut desk = Desk::open();
    let text = "谁持有，谁出示。";
    let (proof, root) = recorded(operation(licence("page").action, text));
    let exact = desk.ask("the document", &proof, &root, Some(text.as_bytes()));
    assert_eq!(exact["result"], "proven");
    assert_eq!(exact["steps"][0]["title"], "document");
    let other = desk.ask("another", &proof, &root, Some("谁持有,谁出示。".as_bytes()));
    assert_eq!(other["code"], "V-DOC-MISMATCH");
    // Longer than any document: said as the command says it, and not read whole by either.
    let long = vec![b'x'; records::DOCUMENT_BYTES_MAX + 2];
    assert_eq!(desk.ask("too long", &proof, &root, Some(&long))["result"], "not-proven");
    assert_eq!(desk.ask("no trust root", &proof, "", None)["code"], "V-BAD-TRUST-ROOT");
    let foreign = Chain::new("another", 9).genesis().to_toml();
    assert_eq!(desk.ask("of another chain", &proof, &foreign, None)["code"], "V-CHAIN");
    for nothing in [&b""[..], b"\n", b"hello", &[0xff; 4096]] {
        assert_eq!(desk.ask("nothing", nothing, &root, None)["result"], "cannot-check");
    }

    let line = Hash(Digest::blake3(text.as_bytes()).bytes);
    let batch =
        BatchAction { series: "urn:epc:page".parse().unwrap(), lines: 1, root: line_leaf(&line) };
    let (proof, root) = recorded(operation(Action::Batch(batch), "the file"));
    let proof = encode_line(&LineProof { line, index: 0, path: Vec::new(), proof });
    assert_eq!(desk.ask("a line", &proof, &root, None)["result"], "proven");
    assert_eq!(desk.ask("its document", &proof, &root, Some(text.as_bytes()))["result"], "proven");
    assert_eq!(desk.ask("another", &proof, &root, Some(b"x"))["code"], "V-DOC-MISMATCH");
    assert_eq!(
        desk.ask("a line, torn", &proof[..proof.len() - 1], &root, None)["result"],
        "cannot-check"
    );
}

/// One vocabulary: what the explorer calls in Chinese is called so by the verifier.
#[test]
fn the_explorer_has_the_verifiers_words() {
    let script = fs::read_to_string(repository().join("node/src/pages/explorer.js")).unwrap();
    let name_of = |value: Value| value.as_str().expect("a name").to_owned();
    for kind in Kind::ALL {
        for status in Status::ALL {
            let (kind_name, name) = (name_of(json!(kind)), name_of(json!(status)));
            let word = speech::status(Lang::Zh, kind, status);
            let own = format!("\"{kind_name} {name}\": \"");
            let wanted = if script.contains(&own) {
                format!("{own}{word}\"")
            } else {
                format!(" {name}: \"{word}\"")
            };
            assert!(script.contains(&wanted), "{kind_name} {name}: no `{wanted}`");
        }
    }
    for part in Part::ALL {
        let name = name_of(json!(part));
        let wanted = format!("{name}: \"{}\"", speech::part(Lang::Zh, part));
        assert!(script.contains(&wanted), "no `{wanted}`");
    }
}
