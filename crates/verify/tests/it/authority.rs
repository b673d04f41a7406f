//! An authority that gives timestamps, made of OpenSSL: nothing of it is ours.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs OpenSSL in `folder`.
pub(crate) fn openssl(folder: &Path, words: &[&str]) -> std::process::Output {
    let output = Command::new("openssl").current_dir(folder).args(words).output();
    // `./check test` installs it.
    output.unwrap()
}

fn done(folder: &Path, words: &[&str]) {
    let output = openssl(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority in a folder.
pub(crate) struct Authority(PathBuf);

impl Authority {
    /// One whose key is made by these words, for certificates with this extended key usage.
    pub(crate) fn made(folder: &Path, key: &[&str], usage: &str) -> Authority {
        fs::create_dir_all(folder).unwrap();
        let settings = format!(
            "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = Root of tests\n\
             [root]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n\
             [leaf]\nbasicConstraints = CA:FALSE\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, {usage}\n\
             [tsa]\ndefault_tsa = one\n\
             [one]\nserial = serial\nsigner_cert = leaf.pem\nsigner_key = leaf.key\ncerts = root.pem\nsigner_digest = sha256\n\
             default_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n",
        );
        fs::write(folder.join("settings"), settings).unwrap();
        fs::write(folder.join("serial"), "01\n").unwrap();
        let made = |name: &str| done(folder, &[&["genpkey", "-out", name], key].concat());
        made("root.key");
        made("leaf.key");
        let root = "req -x509 -new -key root.key -out root.pem -days 3650 -config settings -extensions root";
        let asked = "req -new -key leaf.key -out leaf.csr -config settings -subj";
        let leaf = "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -out leaf.pem -days 3650 -extfile settings -extensions leaf";
        done(folder, &words(root));
        done(folder, &[words(asked), vec!["/CN=Clock of tests"]].concat());
        done(folder, &words(leaf));
        Authority(folder.to_owned())
    }

    /// One with a key of RSA.
    pub(crate) fn of_rsa(folder: &Path) -> Authority {
        Authority::made(folder, &words("-algorithm RSA -pkeyopt rsa_keygen_bits:2048"), "timeStamping")
    }

    /// The certificate that vouches for it.
    pub(crate) fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    /// Its answer.
    pub(crate) fn answer(&self, request: &[u8]) -> Vec<u8> {
        fs::write(self.0.join("request.tsq"), request).unwrap();
        done(&self.0, &words("ts -reply -config settings -section one -queryfile request.tsq -out answer.tsr"));
        fs::read(self.0.join("answer.tsr")).unwrap()
    }
}

pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}
