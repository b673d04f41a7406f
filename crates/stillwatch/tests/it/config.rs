//! The configuration as a person or an editor meets it: checked as a start checks it, described, and shown without
//! secrets.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::{Folder, run};

/// Runs the binary with `variables` in its environment; the exit code and what was said.
fn run_with(variables: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stillwatch"))
        .args(args)
        .envs(variables.iter().copied())
        .output()
        .expect("a process");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const WHOLE: &str = "database = 'postgres://stillwatch:hidden-word@db.example/stillwatch?sslpassword=hidden-too'\n\
                     drain_seconds = 7\n[recording]\nsync = 'always'\n[trust]\npeers = ['192.0.2.0/24']\nja4 = 'X-JA4'\n\
                     [[upstream]]\nurl = 'https://model.example'\nmodels = ['m-*']\nkey_file = 'upstream-key'\n";

#[test]
fn a_configuration_that_can_be_used_is_told_so_and_leaves_nothing_behind() {
    let folder = Folder::new("config-good");
    folder.file("upstream-key", "the-secret-of-the-server\n");
    let config = folder.file("gateway.toml", WHOLE);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    // A port that is taken is no matter: none is opened.
    let checked = run(&["config", "check", "--config", &config, "--listen", &address]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{checked:?}");
    assert!(checked.stdout.contains(&address) && checked.stdout.contains("model.example"), "{checked:?}");
    let checked = run(&["config", "check", "--config", &config, "--json"]);
    let told = json_of(&checked.stdout);
    assert_eq!(told.get("ok"), Some(&json!(true)), "{told}");
    assert_eq!(told.get("upstream"), Some(&json!(["model.example"])), "{told}");
    assert!(!Path::new(&folder.path("stillwatch-data")).exists(), "it made a folder");
    let all = format!("{checked:?}{told}");
    assert!(!all.contains("the-secret") && !all.contains("hidden-"), "{all}");
}

/// What a check refuses, a start refuses in the same words with the same exit code, before it makes anything.
#[test]
fn a_check_and_a_start_refuse_the_same() {
    let folder = Folder::new("config-wrong");
    let server = "[[upstream]]\nurl = 'http://127.0.0.1:9'\n";
    let secure = server.replace("http:", "https:");
    folder.file("two-lines", "a\nb\n");
    folder.file("no-pem", "nothing\n");
    let alert = "[[alert]]\nname = 'a'\n";
    let cases: [(&str, String, &str); 14] = [
        ("syntax", "\nlisten = \n".into(), "line 2"),
        ("type", "\n\ndrain_seconds = 'x'\n".into(), "line 3"),
        ("unknown", "drain = 5\n".into(), "unknown field `drain`"),
        ("value", format!("{server}weight = 0\n"), "`upstream[0].weight`: expected 1 to 1000"),
        ("credential", server.replace("127.0.0.1", "u:p@127.0.0.1"), "`upstream[0].url`: expected no credential"),
        ("key", format!("{server}key_file = 'absent-key'\n"), "absent-key"),
        ("lines", format!("{server}key_file = 'two-lines'\n"), "`upstream[0].key_file`: expected one line"),
        ("authorities", format!("{secure}authorities = 'absent-roots'\n"), "absent-roots"),
        ("alert", format!("{alert}webhook = 'https://h'\nkey_file = 'absent-key'\n"), "`alert[0].key_file`: "),
        ("alert-key", format!("{alert}webhook = 'https://h'\nkey_file = 'no-pem'\n"), "24 to 64 bytes in base64"),
        ("quiet", format!("{alert}syslog = 'udp://h'\nquiet = 'night'\n"), "`alert[0].quiet`: expected `HH:MM-HH:MM`"),
        (
            "mail",
            format!("{alert}mail = {{ relay = 'h', from = 'a@b', to = ['nobody'] }}\n"),
            "`alert[0].mail`: `nobody`: expected a mailbox",
        ),
        ("certificate", "[tls]\ncertificate = 'absent-chain'\nkey = 'absent-chain'\n".into(), "absent-chain"),
        ("pem", "[tls]\ncertificate = 'no-pem'\nkey = 'no-pem'\n".into(), "no-pem"),
    ];
    for (name, text, expected) in cases {
        let config = folder.file(&format!("{name}.toml"), &text);
        let checked = run(&["config", "check", "--config", &config]);
        assert_eq!((checked.code, checked.stdout.as_str()), (65, ""), "{name}: {checked:?}");
        assert!(checked.stderr.contains(expected), "{name}: {checked:?}");
        let started = run(&["up", "--config", &config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        assert_eq!((started.code, &started.stderr), (65, &checked.stderr), "{name}");
        assert!(!Path::new(&folder.path("stillwatch-data")).exists(), "{name}: it made a folder");
    }
    let config = folder.path("type.toml");
    let checked = run(&["config", "check", "--config", &config, "--json"]);
    let told = json_of(&checked.stdout);
    assert!(checked.code == 65 && told.get("ok") == Some(&json!(false)), "{checked:?}");
    assert!(told.get("error").is_some_and(|error| error.to_string().contains("line 3")), "{told}");
    assert_eq!(run(&["config", "check", "--listen", "here"]).code, 2);
    assert_eq!(run(&["config"]).code, 2);
}

#[test]
fn what_is_in_force_is_shown_whole_and_without_secrets() {
    let folder = Folder::new("config-show");
    let config = folder.file("gateway.toml", WHOLE);
    let shown = run(&["config", "show", "--config", &config, "--listen", "127.0.0.1:9", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let told = json_of(&shown.stdout);
    let at = |pointer: &str| told.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {told}")).clone();
    assert_eq!(at("/listen"), json!("127.0.0.1:9"));
    assert_eq!(at("/admin"), json!("127.0.0.1:8081"));
    assert_eq!((at("/drain_seconds"), at("/recording/sync")), (json!(7), json!("always")));
    assert_eq!(at("/recording/file_seconds"), json!(3600));
    assert_eq!((at("/trust/peers"), at("/trust/ja4")), (json!(["192.0.2.0/24"]), json!("x-ja4")));
    assert_eq!((at("/upstream/0/weight"), at("/upstream/0/pause_seconds")), (json!(1), json!(300)));
    assert_eq!(at("/database"), json!("postgres://stillwatch:***@db.example/stillwatch?sslpassword=***"));
    // As TOML it is a configuration again, and the same one.
    let toml = run(&["config", "show", "--config", &config, "--listen", "127.0.0.1:9"]);
    assert!(toml.code == 0 && !toml.stdout.contains("hidden-"), "{toml:?}");
    let again = folder.file("again.toml", &toml.stdout);
    assert_eq!(json_of(&run(&["config", "show", "--config", &again, "--json"]).stdout), told);
}

#[test]
fn the_environment_goes_before_the_file_and_flags_before_the_environment() {
    let folder = Folder::new("config-environment");
    let config = folder.file("gateway.toml", "drain_seconds = 7\nworkers = 3\nlisten = '127.0.0.1:1'\n");
    let variables = [
        ("STILLWATCH_CONFIG", config.as_str()),
        ("STILLWATCH_DRAIN_SECONDS", "5"),
        ("STILLWATCH_RECORDING_REQUIRED", "true"),
        ("STILLWATCH_LISTEN", "127.0.0.1:2"),
        ("STILLWATCH_ADMIN", "127.0.0.1:3"),
        ("STILLWATCH_SERVER", "http://127.0.0.1:4"),
        ("STILLWATCH_DATABASE", "sqlite:other.db"),
        ("STILLWATCH_PORT_80_TCP", "tcp://192.0.2.1:80"),
    ];
    let (code, text, said) = run_with(&variables, &["config", "show", "--json", "--admin", "127.0.0.1:5"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let told = json_of(&text);
    for (pointer, expected) in [
        ("/drain_seconds", json!(5)),
        ("/recording/required", json!(true)),
        ("/workers", json!(3)),
        ("/listen", json!("127.0.0.1:2")),
        ("/admin", json!("127.0.0.1:5")),
        ("/database", json!("sqlite:other.db")),
    ] {
        assert_eq!(told.pointer(pointer), Some(&expected), "{told}");
    }
    for command in [&["config", "check"][..], &["config", "show"], &["up", "--listen", "127.0.0.1:0"]] {
        for (name, value) in [("STILLWATCH_DRAIN_SECOND", "5"), ("STILLWATCH_WORKERS", "many")] {
            let (code, text, said) = run_with(&[(name, value)], command);
            assert!(code == Some(65) && text.is_empty() && said.contains(name), "{command:?}: {code:?} {said}");
        }
    }
}

/// Every key of the schema is one of the file and the other way round, as far as parsing can tell.
#[test]
fn the_schema_names_the_keys_that_are_read() {
    let schema = run(&["config", "schema"]);
    assert_eq!(schema.code, 0);
    let schema = json_of(&schema.stdout);
    assert_eq!(schema.get("$schema"), Some(&json!("https://json-schema.org/draft/2020-12/schema")));
    let folder = Folder::new("config-schema");
    let tables = [
        ("", "/properties"),
        ("recording", "/$defs/RecordingTable/properties"),
        ("tls", "/$defs/TlsFiles/properties"),
        ("trust", "/$defs/TrustTable/properties"),
        ("allow", "/$defs/Allow/properties"),
        ("[upstream]", "/$defs/Upstream/properties"),
    ];
    for (table, pointer) in tables {
        let properties = schema.pointer(pointer).and_then(Value::as_object);
        let properties = properties.unwrap_or_else(|| panic!("no {pointer} in {schema}"));
        let closed = schema.pointer(&pointer.replace("properties", "additionalProperties"));
        assert_eq!(closed, Some(&json!(false)), "{pointer}");
        // A key that is known, with a value that no key may have, is not called unknown; one that is unknown is answered
        // with every key that would be known.
        let says = |key: &str| {
            let head = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let config = folder.file("gateway.toml", format!("{head}{key} = 1.5\n"));
            let checked = run(&["config", "check", "--config", &config]);
            assert_eq!(checked.code, 65, "{checked:?}");
            checked.stderr
        };
        for key in properties.keys() {
            assert!(!says(key).contains("unknown field"), "`{key}` of [{table}] is not read");
        }
        let unknown = says("x");
        let listed = unknown.split("expected").nth(1).unwrap_or_else(|| panic!("{unknown}"));
        for key in listed.split('`').skip(1).step_by(2) {
            assert!(properties.contains_key(key), "`{key}` of [{table}] is not in the schema");
        }
        assert_eq!(listed.matches('`').count(), 2 * properties.len(), "{unknown}");
    }
    assert_eq!(schema.pointer("/properties/drain_seconds/default"), Some(&json!(30)));
    assert_eq!(schema.pointer("/properties/drain_seconds/type"), Some(&json!("integer")));
}

#[test]
fn a_gateway_detects_as_a_hunt_does_unless_it_is_told() {
    let table = gateway::config::DetectionTable::default();
    assert_eq!(table.alpha.to_string(), detect::Config::default().alpha.to_string());
    let read = |seconds: u32| {
        let text = format!("[detection]\nlateness_seconds = {seconds}\n");
        gateway::config::Config::parse(std::path::Path::new("gateway.toml"), &text)
    };
    let most = watch::limits::LATENESS_SECONDS_MAX;
    assert!(read(most).is_ok() && read(most + 1).is_err());
}
