//! What a machine is given to run the gateway as a service: the unit, the commented configuration, the Debian package.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Folder, run};
use crate::frame::root;

fn packaging(name: &str) -> String {
    let path = root().join("packaging").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a tool prints; none where the machine does not have it.
fn tool(name: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(name).args(args).output().ok()?;
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {args:?}: {said}{wrong}");
    Some(said.into_owned())
}

#[test]
fn the_configuration_of_the_package_can_be_used_and_names_no_key_that_is_not_there() {
    let folder = Folder::new("package-config");
    let text = packaging("gateway.toml");
    let config = folder.file("gateway.toml", &text);
    let checked = run(&["config", "check", "--config", &config]);
    assert_eq!(checked.code, 0, "{checked:?}");
    // With what it says in comments, too.
    let is_key =
        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line));
    let all = folder.file("all.toml", lines.collect::<Vec<_>>().join("\n"));
    let shown = run(&["config", "show", "--config", &all, "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert!(shown.pointer("/upstream/0/key_file").is_some() && shown.pointer("/tls/key").is_some(), "{shown}");
}

#[test]
fn the_unit_holds_the_gateway_tightly_and_lets_it_come_to_its_end() {
    let unit = packaging("stillwatch.service");
    for line in [
        "DynamicUser=yes",
        "StateDirectory=stillwatch",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=@system-service",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ] {
        assert!(unit.lines().any(|other| other == line), "no `{line}`");
    }
    let patience = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).and_then(|s| s.parse().ok());
    let folder = Folder::new("package-unit");
    let config = folder.file("gateway.toml", packaging("gateway.toml"));
    let shown: Value =
        serde_json::from_str(&run(&["config", "show", "--config", &config, "--json"]).stdout).expect("JSON");
    let drain = shown.get("drain_seconds").and_then(Value::as_u64);
    assert!(patience > drain && drain.is_some(), "{patience:?} {drain:?}");
    // Where its program is does not matter for what is verified.
    let unit = folder.file("stillwatch.service", unit.replace("/usr/bin/stillwatch", env!("CARGO_BIN_EXE_stillwatch")));
    let version = tool("systemd-analyze", &["--version"]);
    let version = version.and_then(|text| text.split(' ').nth(1)?.parse::<u32>().ok());
    // Older ones cannot look at a unit by itself.
    if version.is_some_and(|version| version >= 250) {
        tool("systemd-analyze", &["verify", "--man=no", &unit]);
        tool("systemd-analyze", &["security", "--offline=true", "--threshold=20", &unit]);
    }
}

#[test]
fn the_debian_package_holds_what_it_should() {
    if tool("dpkg-deb", &["--version"]).is_none() {
        return;
    }
    let folder = Folder::new("package-deb");
    let built = Command::new(root().join("packaging/build-deb"))
        .args([env!("CARGO_BIN_EXE_stillwatch"), &folder.path("")])
        .env("DPKG_DEB_COMPRESSOR_TYPE", "none")
        .output()
        .expect("a script");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let package = String::from_utf8(built.stdout).expect("UTF-8").trim().to_owned();
    let contents = tool("dpkg-deb", &["--contents", &package]).expect("it is there");
    for (mode, path) in [
        ("-rwxr-xr-x", "./usr/bin/stillwatch"),
        ("-rw-r--r--", "./usr/lib/systemd/system/stillwatch.service"),
        ("-rw-r--r--", "./etc/stillwatch/gateway.toml"),
        ("-rw-r--r--", "./usr/share/doc/stillwatch/copyright"),
        ("-rw-r--r--", "./usr/share/doc/stillwatch/changelog.gz"),
        ("-rw-r--r--", "./usr/share/doc/stillwatch/gateway.md"),
    ] {
        let is_it = |line: &str| line.starts_with(mode) && line.contains("root/root") && line.ends_with(path);
        assert!(contents.lines().any(is_it), "no `{path}` in {contents}");
    }
    let about = tool("dpkg-deb", &["--field", &package]).expect("it is there");
    assert!(about.contains("Package: stillwatch") && about.contains(env!("CARGO_PKG_VERSION")), "{about}");
    let inner = folder.path("inner");
    tool("dpkg-deb", &["--control", &package, &inner]);
    let control = |name: &str| std::fs::read_to_string(Path::new(&inner).join(name)).expect("it is there");
    assert_eq!(control("conffiles"), "/etc/stillwatch/gateway.toml\n");
    assert!(control("md5sums").contains("usr/bin/stillwatch"));
    let after = control("postinst");
    let commands = after.lines().map(str::trim).filter(|line| line.starts_with("systemctl"));
    assert_eq!(commands.collect::<Vec<_>>(), ["systemctl daemon-reload || true"], "nothing starts without being asked");
}
