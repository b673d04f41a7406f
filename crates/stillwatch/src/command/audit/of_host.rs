//! What rules look at of this machine: servers that other machines reach, files with secrets, variables, swap and the clock.
//!
//! Promises to ask servers by GET only, on this machine only, and never to ask for what changes anything.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use audit::facts::{Host, OpenServer};
use bytes::Bytes;
use gateway::outward;
use http_body_util::Full;
use hyper::{Request, Uri};

use super::of_models::open_mode;
use crate::failure::Failure;
use crate::{data_folder, ledgers, machine};

/// How long a server may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Ports that are asked. A machine with more is told so, and the further ones are not.
const PORTS_MAX: usize = 200;

/// By what a server is known that answers without a credential.
struct Known {
    product: &'static str,
    serves_models: bool,
    path: &'static str,
    /// What the answer has, all of it.
    says: &'static [&'static str],
}

const fn model(product: &'static str, path: &'static str, says: &'static [&'static str]) -> Known {
    Known { product, serves_models: true, path, says }
}

const fn managing(product: &'static str, path: &'static str, says: &'static [&'static str]) -> Known {
    Known { product, serves_models: false, path, says }
}

/// Servers by what only they answer, as their own documentation and sources have it.
const SERVERS: [Known; 18] = [
    model("vLLM", "/v1/models", &["\"owned_by\":\"vllm\""]),
    model("vLLM", "/metrics", &["vllm:"]),
    model("llama.cpp", "/props", &["default_generation_settings", "total_slots"]),
    model("llama.cpp", "/v1/models", &["\"owned_by\":\"llamacpp\""]),
    model("Ollama", "/", &["Ollama is running"]),
    model("SGLang", "/v1/models", &["\"owned_by\":\"sglang\""]),
    model("Text Generation Inference", "/info", &["\"model_id\"", "\"max_total_tokens\""]),
    model("Triton", "/v2", &["\"name\":\"triton\""]),
    model("a server of the OpenAI API", "/v1/models", &["\"object\":\"list\"", "\"data\""]),
    managing("LiteLLM", "/health/readiness", &["litellm_version"]),
    managing("Ray", "/api/version", &["ray_version"]),
    managing("Jupyter", "/api/status", &["\"kernels\"", "\"last_activity\""]),
    managing("MLflow", "/", &["<title>MLflow</title>"]),
    managing("Prometheus", "/-/healthy", &["Prometheus Server is Healthy"]),
    managing("TensorBoard", "/", &["<title>TensorBoard</title>"]),
    managing("Triton's metrics", "/metrics", &["nv_inference_"]),
    managing("NVIDIA's exporter of GPU metrics", "/metrics", &["DCGM_FI_"]),
    managing("Go's profiler", "/debug/pprof/", &["/debug/pprof/", "goroutine"]),
];

/// The facts of this machine. `own` are addresses of the gateway itself, which asks for credentials.
pub(super) fn facts(data: &Path, secrets: &[PathBuf], own: &[SocketAddr]) -> Result<Host, Failure> {
    let listening = listening()?
        .into_iter()
        .filter(|address| !own.iter().any(|it| it.port() == address.port()))
        .collect::<Vec<_>>();
    Ok(Host {
        open_servers: open_servers(&listening)?,
        open_secrets: open_secrets(data, secrets),
        secret_variables: secret_variables(data),
        swaps: machine::swaps().ok(),
        clock_synchronised: clock(),
    })
}

/// Addresses at which something listens that other machines reach.
fn listening() -> Result<Vec<SocketAddr>, Failure> {
    let unread = |error| Failure::io("listening sockets cannot be looked at (/proc/net/tcp)", error);
    let mut found = listening_in(&machine::told("/proc/net/tcp").map_err(unread)?);
    // A machine without IPv6 has no such file.
    found.extend(listening_in(&machine::told("/proc/net/tcp6").unwrap_or_default()));
    let mut ports = BTreeSet::new();
    found.retain(|address| !address.ip().to_canonical().is_loopback() && ports.insert(address.port()));
    found.truncate(PORTS_MAX);
    Ok(found)
}

/// Addresses of sockets that listen, by what the system says of its sockets.
fn listening_in(text: &str) -> Vec<SocketAddr> {
    const LISTENS: &str = "0A";
    let address = |line: &str| {
        let mut fields = line.split_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(|word| word.swap_bytes());
        // Words of the machine's own order, which are those of a little-endian one wherever this runs.
        let ip = match address.len() {
            8 => IpAddr::V4(Ipv4Addr::from_bits(word(0)?)),
            32 => {
                let words = [word(0)?, word(8)?, word(16)?, word(24)?];
                IpAddr::V6(Ipv6Addr::from_bits(words.into_iter().fold(0, |all, word| all << 32 | u128::from(word))))
            }
            _ => return None,
        };
        (state == LISTENS).then(|| SocketAddr::new(ip, port))
    };
    text.lines().skip(1).filter_map(address).collect()
}

fn open_servers(listening: &[SocketAddr]) -> Result<Vec<OpenServer>, Failure> {
    let failed = |error| Failure::io("servers on this machine cannot be asked", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let tls = gateway::tls::towards(None).map_err(Failure::unreadable)?;
    let tls = Arc::new(tls);
    Ok(runtime.block_on(async {
        let mut found = Vec::new();
        for address in listening {
            if let Some(server) = known(*address, &tls).await {
                found.push(server);
            }
        }
        found
    }))
}

/// What answers at an address without a credential, if it is known.
async fn known(address: SocketAddr, tls: &Arc<rustls::ClientConfig>) -> Option<OpenServer> {
    // What listens for everybody listens for this machine, too.
    let reach = match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(_) => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
    };
    // Whatever speaks another language is asked once.
    get(reach, "/", tls).await?;
    let mut answers: Vec<(&str, String)> = Vec::new();
    for server in &SERVERS {
        let known = answers.iter().find(|(path, _)| *path == server.path).map(|(_, text)| text.clone());
        let text = match known {
            Some(text) => text,
            None => {
                let (status, text) = get(reach, server.path, tls).await.unwrap_or_default();
                // Without blanks, since each writes JSON in its own way.
                let text: String = text.chars().filter(|c| !c.is_whitespace() && status == 200).collect();
                answers.push((server.path, text.clone()));
                text
            }
        };
        if !text.is_empty() && server.says.iter().all(|said| text.contains(&said.replace(' ', ""))) {
            return Some(OpenServer {
                address: address.to_string(),
                product: server.product.to_owned(),
                serves_models: server.serves_models,
                seen: format!("GET {}", server.path),
            });
        }
    }
    None
}

/// The status of an answer, and its text.
async fn get(address: SocketAddr, path: &str, tls: &Arc<rustls::ClientConfig>) -> Option<(u16, String)> {
    let uri: Uri = format!("http://{address}{path}").parse().ok()?;
    let request = Request::get(&uri).body(Full::new(Bytes::new())).ok()?;
    let asked = tokio::time::timeout(ANSWER_TIME_MAX, outward::ask(&uri, tls, request, ANSWER_BYTES_MAX));
    let (status, body) = asked.await.ok()?.ok()?;
    Some((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

/// Files with secrets that others may read: those of the data folder, and those that are named.
fn open_secrets(data: &Path, named: &[PathBuf]) -> Vec<(String, String)> {
    let own = data_folder::SECRETS.iter().map(|name| data.join(name));
    let open = |path: PathBuf| Some((path.display().to_string(), open_mode(&path)?));
    own.chain([ledgers::key_file(data)]).chain(named.iter().cloned()).filter_map(open).collect()
}

/// Names of variables of the gateway that look like secrets.
fn secret_variables(data: &Path) -> Option<Vec<String>> {
    let running = data_folder::running(data).ok()?;
    let text = fs::read(format!("/proc/{}/environ", running.pid)).ok()?;
    Some(names_of_secrets(&String::from_utf8_lossy(&text)))
}

fn names_of_secrets(environment: &str) -> Vec<String> {
    const TELLING: [&str; 6] = ["SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "TOKEN"];
    let name = |variable: &str| {
        let (name, value) = variable.split_once('=')?;
        let upper = name.to_ascii_uppercase();
        // A file that holds one is as it should be.
        let is_file = upper.ends_with("_FILE") || upper.ends_with("_PATH") || value.is_empty();
        (TELLING.iter().any(|part| upper.contains(part)) && !is_file).then(|| name.to_owned())
    };
    environment.split('\0').filter_map(name).collect()
}

/// Whether the clock follows another, as systemd says; none where it does not run.
fn clock() -> Option<bool> {
    let told = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok()?;
    match String::from_utf8_lossy(&told.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_read_as_the_system_writes_them() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                       0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                       1: 00000000:2049 00000000:0000 0A 00000000:00000000\n\
                       2: 0202000A:01BB 0302000A:C001 01 00000000:00000000\n\
                       3: nonsense\n";
        let told: Vec<String> = listening_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["127.0.0.1:8080", "0.0.0.0:8265"]);
        let text = "head\n 0: 00000000000000000000000001000000:1F90 x:0 0A\n 1: B80D0120000000000000000001000000:0050 x:0 0A\n";
        let told: Vec<String> = listening_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["[::1]:8080", "[2001:db8::1]:80"]);
    }

    #[test]
    fn variables_that_look_like_secrets_are_told_by_their_names() {
        let environment = "PATH=/bin\0OPENAI_API_KEY=sk-x\0DB_PASSWORD=\0ADMIN_TOKEN_FILE=/run/x\0my_secret=1\0";
        assert_eq!(names_of_secrets(environment), ["OPENAI_API_KEY", "my_secret"]);
    }
}
