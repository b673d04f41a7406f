//! TLS towards callers: both versions of HTTP, certificates of clients, certificates that change while it runs.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use gateway::tls::{BadCertificates, Certificates, Files};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rig::{KEY, Rig};

const CHAT: &str = r#"{"model":"mock-1","messages":[{"role":"user","content":"hello"}]}"#;

/// An authority with what it signed, as files.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let folder = std::env::temp_dir().join(format!("stillwatch-tls-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Authority { folder, issuer }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Signs a certificate for `host` and writes it to `NAME.pem` and `NAME.key`.
    pub(crate) fn sign(&self, name: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// Answers everything with `body`, over TLS, on the port that is returned.
    pub(crate) fn serve(&self, body: String) -> u16 {
        let chain = vec![CertificateDer::from_pem_file(self.path("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = Arc::new(builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = rustls::Stream::new(&mut session, &mut stream);
                // A caller that does not believe the certificate leaves here.
                if tls.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                    let _ = write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                }
            }
        });
        port
    }

    fn files(&self, clients: bool, required: bool) -> Files {
        Files {
            chain: self.path("server.pem"),
            key: self.path("server.key"),
            client_authorities: clients.then(|| self.path("ca.pem")),
            client_required: required,
        }
    }

    fn client(&self, protocol: &[u8], identity: Option<&str>) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = vec![CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap()];
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

/// Asks once; says the version that was spoken and the status, and which certificate the server showed.
async fn ask(
    rig: &Rig,
    client: Arc<rustls::ClientConfig>,
    host: &str,
) -> Result<(Version, StatusCode, Vec<u8>), String> {
    let h2 = client.alpn_protocols == [b"h2".to_vec()];
    let stream = TcpStream::connect(rig.gateway.address()).await.unwrap();
    let name = host.to_owned().try_into().unwrap();
    let stream = TlsConnector::from(client).connect(name, stream).await.map_err(|error| error.to_string())?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let request = Request::post(format!("https://{host}/v1/chat/completions"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("host", host)
        .body(Full::new(Bytes::from_static(CHAT.as_bytes())))
        .unwrap();
    let text = |error: hyper::Error| error.to_string();
    let reply = if h2 {
        let executor = TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.map_err(text)?;
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let reply = reply.map_err(text)?;
    let (version, status) = (reply.version(), reply.status());
    reply.into_body().collect().await.map_err(text)?;
    Ok((version, status, shown))
}

fn rig(files: Files) -> (Rig, Arc<Certificates>) {
    let certificates = Arc::new(Certificates::open(files).unwrap());
    (Rig::with_certificates(Arc::clone(&certificates)), certificates)
}

#[tokio::test]
async fn both_versions_are_spoken_and_certificates_change_while_it_runs() {
    let authority = Authority::new("change");
    authority.sign("server", "one.test");
    let (rig, certificates) = rig(authority.files(false, false));
    let (version, status, first) = ask(&rig, authority.client(b"h2", None), "one.test").await.unwrap();
    assert_eq!((version, status), (Version::HTTP_2, StatusCode::OK));
    let (version, status, _) = ask(&rig, authority.client(b"http/1.1", None), "one.test").await.unwrap();
    assert_eq!((version, status), (Version::HTTP_11, StatusCode::OK));

    // A new one that cannot be used leaves the old one in place.
    std::fs::write(authority.path("server.pem"), "no certificate").unwrap();
    let error = certificates.reload().unwrap_err();
    assert!(matches!(&error, BadCertificates::Empty { path, .. } if path == &authority.path("server.pem")), "{error}");
    assert_eq!(ask(&rig, authority.client(b"h2", None), "one.test").await.unwrap().2, first);

    authority.sign("server", "one.test");
    certificates.reload().unwrap();
    assert_ne!(ask(&rig, authority.client(b"h2", None), "one.test").await.unwrap().2, first);
    std::fs::remove_dir_all(authority.folder).unwrap();
}

#[tokio::test]
async fn callers_show_certificates_where_they_must() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    authority.sign("server", "one.test");
    authority.sign("caller", "caller.test");
    stranger.sign("caller", "caller.test");
    let (rig, _) = rig(authority.files(true, true));
    assert!(ask(&rig, authority.client(b"http/1.1", Some("caller")), "one.test").await.is_ok());
    assert!(ask(&rig, authority.client(b"http/1.1", None), "one.test").await.is_err());
    for suffix in ["pem", "key"] {
        let name = format!("stranger.{suffix}");
        std::fs::copy(stranger.path(&format!("caller.{suffix}")), authority.path(&name)).unwrap();
    }
    assert!(ask(&rig, authority.client(b"http/1.1", Some("stranger")), "one.test").await.is_err());
    std::fs::remove_dir_all(authority.folder).unwrap();
    std::fs::remove_dir_all(stranger.folder).unwrap();
}

#[test]
fn mistakes_name_their_file() {
    let authority = Authority::new("mistakes");
    let missing = Certificates::open(authority.files(false, false)).unwrap_err().to_string();
    assert!(missing.contains("server.pem") || missing.contains("server.key"), "{missing}");
    authority.sign("server", "one.test");
    std::fs::write(authority.path("server.key"), "x").unwrap();
    let error = Certificates::open(authority.files(false, false)).unwrap_err().to_string();
    assert!(error.contains("server.key: holds no a private key") || error.contains("server.key"), "{error}");
    assert!(Path::new(&authority.folder).exists());
    std::fs::remove_dir_all(authority.folder).unwrap();
}
