//! Secrets: each rule finds what is one and nothing that only looks so; where memory is cut does not matter.

use std::convert::Infallible;
use std::ops::ControlFlow;

use ckpt_model::{Checkpoint, Pid};
use ckpt_scan::secrets::{Confidence, Secret, SecretScanner, Spot, rules, summary};
use ckpt_scan::strings::Encoding;
use ckpt_scan::{Hit, Piece, Sink, Work, run};
use ckpt_synth::{Archive, Dump, File, Task, Vma};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::memory::{Way, pieces, way};

/// Position, rule, confidence, value.
type Told = (u64, &'static str, Confidence, String);

struct Keep<'a>(&'a SecretScanner);

impl Sink for Keep<'_> {
    type Batch = Vec<Told>;

    fn add(&self, batch: &mut Vec<Told>, hit: &Hit<'_>) -> ControlFlow<()> {
        let secret = self.0.secret(hit).expect("what was found is found again");
        match hit.found.encoding {
            Encoding::Utf16Le => assert_eq!(hit.bytes, wide(secret.value(), Encoding::Utf16Le)),
            Encoding::Utf16Be => assert_eq!(hit.bytes, wide(secret.value(), Encoding::Utf16Be)),
            _ => assert_eq!(secret.value(), hit.bytes),
        }
        let value = String::from_utf8_lossy(secret.value()).into_owned();
        batch.push((hit.found.range.start, secret.rule().id, secret.confidence(), value));
        if batch.len() >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// ASCII as UTF-16.
fn wide(text: &[u8], encoding: Encoding) -> Vec<u8> {
    let pair = |byte: &u8| match encoding {
        Encoding::Utf16Be => [0, *byte],
        _ => [*byte, 0],
    };
    text.iter().flat_map(pair).collect()
}

fn scan(pieces: &[Piece], work: Work) -> Vec<Told> {
    scan_with(&SecretScanner::new(), pieces, work)
}

fn scan_with(scanner: &SecretScanner, pieces: &[Piece], work: Work) -> Vec<Told> {
    let mut all = Vec::new();
    let told: Result<(), Infallible> =
        run(pieces.iter().cloned(), scanner, &Keep(scanner), work, |mut batch| {
            all.append(&mut batch);
            Ok(())
        });
    assert!(told.is_ok());
    all
}

fn told(text: &str) -> Vec<Told> {
    scan(&pieces(text.as_bytes(), 0, &[1 << 20]), Work::default())
}

/// Tokens are written with a `¦` in them, so that nobody who looks for leaked ones stops at this file.
fn whole(text: &str) -> String {
    text.replace('¦', "")
}

const PEM: &str = "-----BEGIN ¦PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIlg16DgeH2+zHoSgxYEihA73jIlgqlOj00ZmO5ffaCT\n-----END PRIVATE KEY-----\n";

const EC: &str = "-----BEGIN ¦EC PRIVATE KEY-----\r\nMHcCAQEEIFxPljf5S/zrj3fHq7xjwWdVOXt7taZLs7RgJb+Edz5FoAoGCCqGSM49\r\nAwEHoUQDQgAEdvuOdodsn8L0jd6/2SsUJ1PlnIKYQ0jBt+dzTSzz55D7PclqjKb4\r\nq9SZOTg8i4NfmceYJ5B7MJEF4cst5G+n0A==\r\n-----END EC PRIVATE KEY-----";

const LOCKED: &str = "-----BEGIN ¦EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,BBD339445F65861B024B581E6F6BE51A\n\nxv9mLhrBq5/H+QlkZj/xltwYS5nlKtBjqpQiz1pSl2DgGCdStNaTJhDlwYJUAuEF\nLWkudEdMG+xswOEOABh7JeMbXerPGyY9Jw4F6lEY+PbCa2iRxij222LlVlKkxMKA\n2jz6pXPQSENsOrbX3iKTS7HmiUOTr1o7Q6Jl6zesm5g=\n-----END EC PRIVATE KEY-----\n";

const SSH: &str = "-----BEGIN ¦OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\nQyNTUxOQAAACBkbcP61x3hJQgklgmOu0GuPeIYjkLdEv75pYgtPUznFAAAAIhXA7xgVwO8\nYAAAAAtzc2gtZWQyNTUxOQAAACBkbcP61x3hJQgklgmOu0GuPeIYjkLdEv75pYgtPUznFA\nAAAEDlv0lfPnymBiRD85/vPEH9zjMr2KyE/pMK2TkiS3S48mRtw/rXHeElCCSWCY67Qa49\n4hiOQt0S/vmliC09TOcUAAAAAXgBAgME\n-----END OPENSSH PRIVATE KEY-----\n";

/// A rule, how sure it is, a text, and the value in it.
fn found() -> Vec<(&'static str, Confidence, String, String)> {
    use Confidence::{High, Low, Medium};
    let plain = [
        ("aws-access-key", High, "aws_access_key_id = [AKIA¦2WYOJFLJOOA7LQSA]"),
        ("aws-access-key", Medium, "\0[ASIA¦2WYOJFLJOOA7LQSA]\0"),
        ("aws-access-key", Low, "aws: [AKIA¦IOSFODNN7EXAMPLE]"),
        (
            "aws-secret-key",
            High,
            "\"SecretAccessKey\": \"[IrleG6woopoDzp7O8QuKEh6¦D0JCk39QmJWikyFE+]\"",
        ),
        (
            "aws-secret-key",
            High,
            "AWS_SECRET_ACCESS_KEY=[IrleG6woopoDzp7O8QuKEh6¦D0JCk39QmJWikyFE+]\0",
        ),
        ("config-secret", Medium, "\nDB_PASSWORD=[hT7vK2pQ¦9xZr4LmW]\nDB_HOST=db\n"),
        ("config-secret", Medium, "SECRET_KEY=[9f2c4e1ab7d86053¦9f2c4e1ab7d86054]\n"),
        ("config-secret", Medium, "  password: \"[hT7vK2pQ¦9xZr4LmW]\"\n"),
        ("config-secret", Medium, "define('DB_PASSWORD', '[hT7vK2pQ¦9xZr4LmW]');"),
        ("config-secret", Medium, "user = app\npassword = [hT7vK2pQ¦9xZr4LmW]\n"),
        ("config-secret", Medium, "db:5432:shop:app:[hT7vK2pQ¦9xZr4LmW]\n"),
        ("config-secret", Medium, "spring.datasource.password=[hT7vK2pQ¦9xZr4LmW]\n"),
        ("config-secret", Medium, "'password' => '[hT7vK2pQ¦9xZr4LmW]',"),
        ("config-secret", Medium, "<password>[hT7vK2pQ¦9xZr4LmW]</password>"),
        ("config-secret", Medium, "{\"apiToken\":\"[hT7vK2pQ¦9xZr4LmW]\"}"),
        ("config-secret", Low, "DB_PASSWORD=[Summer¦2024]\n"),
        ("gcp-api-key", High, "key=[AIza¦TUUJ596lLlGUriAX1DyyXN9iYw1mXJft5is]&q=1"),
        ("gcp-oauth", High, "[GOCSPX-¦GXNwAMnEYYnWLeEdpomsCpFqPlpE]"),
        (
            "gcp-oauth",
            High,
            "[ya29.¦CXVMk11oHUGCiczMSpxkMzN5E6EUCLDUdvdr0UwfMpf5rg7wOojmCUuBRoeL] ",
        ),
        (
            "azure-storage-key",
            High,
            "AccountName=shop;AccountKey=[J3Rcy5oxBS6UTPGyIOqix/sbfT4/c/QUr24Nk1Ug3UwhR3¦OGBvK/fscCCeDNBe5XIO28ujrM5nIISrZJ/Lzkmw==];End",
        ),
        (
            "azure-shared-key",
            High,
            "SharedAccessKeyName=root;SharedAccessKey=[OL3s+s5KvRIQjzkevAcOg+gYCmvU9Doq¦//zTwS74kFc=];",
        ),
        ("azure-client-secret", High, "secret: [wX.7Q~¦J_r59ehi.w8BYy87dvani2xjLE7RaGVoo]"),
        ("github-token", High, "[ghp_¦Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y3gm1IL]"),
        ("github-token", Low, "[ghp_¦Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y3gm1IM]"),
        (
            "github-token",
            High,
            "'[github_pat_¦6WSZ1mvw4SKdWcWCiHSWYp_UWyFiXuuyxGxZvyCrS8Q7PSK4gFR4DgJo7vn9yjfgN9Gu8zTEly6PuVAgrE]'",
        ),
        ("gitlab-token", High, "PRIVATE-TOKEN: [glpat-¦5pykPTPly5kAA819bvTp]"),
        ("slack-token", High, "[xoxb-¦2345678901-2345678901234-f9dqcUgxM9ZZ810pkf6Xlx8R]"),
        (
            "slack-webhook",
            High,
            "https://[hooks.slack.com/services/¦T01AB2CD3/B04EF5GH6/f9dqcUgxM9ZZ810pkf6Xlx8R]",
        ),
        ("stripe-key", High, "[sk_live_¦f9dqcUgxM9ZZ810pkf6Xlx8R]"),
        ("stripe-key", Medium, "[sk_test_¦f9dqcUgxM9ZZ810pkf6Xlx8R]"),
        (
            "npm-token",
            High,
            "//registry.npmjs.org/:_authToken=[npm_¦Eeeby3abP3E2Zs8IQ9Y7aJZqhB6bae2dTjzx]\n",
        ),
        (
            "pypi-token",
            High,
            "password = [pypi-¦AgEIcHlwaS5vcmcCJMVQGDADclVf0jXxGCn7OIwi5Ey2N_ASEMNwepC0BUIPsWl3nt-1uTQkBRV_VLEurmLRHoh-sHZtGHf4xu_ya1AQrzF30WHnlYenZuww5AN0WKmQXK2HvUyYPw]",
        ),
        ("docker-hub-token", High, "[dckr_pat_¦AjRWPLQCMK5kN1LZTSj1OLXdIWz]"),
        (
            "anthropic-key",
            High,
            "[sk-ant-¦47woEu65GH2vnBHm8qRswhqyGP9YwWaViK5H3piBRv4Hy1e5pG5csE4Gt7T0LZQxwHd82XjFy7AG3BCxJeJXmDISWhBHM]",
        ),
        ("openai-key", High, "[sk-proj-¦p1G201kWZCWUFxS6gqfRgVYruPWJiDELCrujke8PM3r804el]"),
        ("huggingface-token", High, "[hf_¦uGRAtrgrOtWgIcFiIBTBAHSaGNzLZKFlzu]"),
        (
            "sendgrid-key",
            High,
            "[SG.¦6WSZ1mvw4SKdWcWCiHSWYp.wuW8Y9XW1tSnBc0np9B9Udk7Z3KhXXZUon6uZ3FCH2n]",
        ),
        (
            "digitalocean-token",
            High,
            "[dop_v1_¦96b50ac2f86702824c1c099724caf4941d4072014b3ce107f80e222f828767ef]",
        ),
        ("shopify-token", High, "[shpat_¦c2f91624a8940f1f836f99eee3692f09]"),
        ("vault-token", High, "VAULT=[hvs.¦f9dqcUgxM9ZZ810pkf6Xlx8R]"),
        (
            "age-key",
            High,
            "[AGE-SECRET-KEY-1¦AYU3CDDY9FSHG38HWLLEP2QLUENF6KC584Q54E8VQJSHYECYHM3R3XRJF0]",
        ),
        ("database-url", High, "DATABASE_URL=postgres://shop:[Tr0ub4dor&3]@db.shop:5432/shop\0"),
        ("database-url", High, "\"mysql+pymysql://root:[s3same-Street]@10.0.0.7/x\""),
        (
            "database-url",
            High,
            "jdbc:postgresql://db.shop/x?user=shop&password=[Tr0ub4dor3]&ssl=true",
        ),
        ("database-url", Low, "amqp://guest:[guest]@mq.shop:5672/"),
        ("url-password", Medium, "proxy http://bob:[s3same-Street]@proxy.corp:3128/ up"),
        (
            "jwt",
            High,
            "token=[eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.¦eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiI3In0.0ne06rCCFd88EBt_5_mgFBr7lioC8v1ydijSZhEYqIw];",
        ),
        (
            "jwt",
            High,
            "Authorization: Bearer [eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.¦eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiI3In0.0ne06rCCFd88EBt_5_mgFBr7lioC8v1ydijSZhEYqIw]\r\n",
        ),
        (
            "kubernetes-token",
            High,
            "\0[eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.¦eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMiLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c2hvcDpjYXJ0Iiwia3ViZXJuZXRlcy5pbyI6eyJuYW1lc3BhY2UiOiJzaG9wIn19.H3cgR1lxJeJ-lw0j2VK80bCqNm4JFi7dXzDbjE2aRkc]\0",
        ),
        (
            "docker-auth",
            High,
            "{\"auths\": {\"r.example\": {\"auth\": \"[c2hvcDp¦zM3NhbWUtU3RyZWV0]\"}}}",
        ),
        ("docker-auth", Medium, "{\"auth\":\"[c2hvcDp¦zM3NhbWUtU3RyZWV0]\"}"),
        ("netrc", High, "machine ftp.shop.net\n  login bob\n  password [s3same-Street]\n"),
        (
            "basic-auth",
            High,
            "GET / HTTP/1.1\r\nauthorization: Basic [c2hvcDp¦zM3NhbWUtU3RyZWV0]\r\n",
        ),
        ("bearer-token", Medium, "Authorization: Bearer [f9dqcUgxM9ZZ810pkf6Xlx8R¦tCqtD1GDIW]\r\n"),
        ("payment-card", High, "card=[4111111111111111]&exp=12/29"),
        ("payment-card", High, "pan=[5555555555554444];cvv=737"),
        ("payment-card", High, "Card: [4012 8888 8888 1881], CVC 123"),
        ("payment-card", Medium, "[3782-822463-10005] exp 03/31"),
        ("payment-card", Low, "order [6011000990139424] done"),
    ];
    let mut all: Vec<_> = plain
        .into_iter()
        .map(|(rule, confidence, text)| {
            let (start, end) =
                (text.find('[').expect("a value"), text.rfind(']').expect("its end"));
            let value = whole(&text[start + 1..end]);
            let text = whole(&[&text[..start], &text[start + 1..end], &text[end + 1..]].concat());
            (rule, confidence, text, value)
        })
        .collect();
    let keys = [(PEM, "key = \"", "\""), (EC, "\0", "\0"), (LOCKED, "", ""), (SSH, "# ", "end")];
    all.extend(keys.into_iter().map(|(key, before, after)| {
        let key = whole(key);
        let value = key.trim_end().to_owned();
        ("private-key", High, [before, &key, after].concat(), value)
    }));
    let escaped = whole(PEM).trim_end().replace('\n', "\\n");
    let json = format!(
        "{{\"type\": \"service_account\", \"private_key\": \"{escaped}\\n\", \
         \"client_email\": \"bot@shop.iam.gserviceaccount.com\"}}"
    );
    all.push(("gcp-service-account", High, json, escaped.clone()));
    all.push(("private-key", High, format!("\"key\":\"{escaped}\""), escaped));
    let encoded = data_encoding::BASE64.encode(whole(EC).as_bytes());
    all.push((
        "kubeconfig",
        High,
        format!("    client-key-data: {encoded}\n"),
        encoded.trim_end_matches('=').to_owned(),
    ));
    let cut = whole(EC)[..150].to_owned();
    all.push(("private-key", Medium, format!("{cut}\0"), cut));
    all
}

#[test]
fn every_rule_finds_what_is_one() {
    let mut seen: Vec<&str> = Vec::new();
    for (rule, confidence, text, value) in found() {
        let all = told(&text);
        let hit = all.iter().find(|one| one.1 == rule);
        let Some((at, _, sure, told)) = hit else { panic!("{rule}: nothing in {text:?}: {all:?}") };
        assert_eq!((told.as_str(), *sure), (value.as_str(), confidence), "{rule}: {text:?}");
        assert_eq!(*at, text.rfind(&value).expect("it is there") as u64, "{rule}");
        let others: Vec<_> = all.iter().filter(|one| one.1 != rule).collect();
        assert!(others.is_empty(), "{rule}: {text:?} holds {others:?} too");
        seen.push(rule);
    }
    // Environments have a test of their own.
    for rule in rules().iter().filter(|rule| rule.id != "env-secret") {
        assert!(seen.contains(&rule.id), "no test of {}", rule.id);
    }
    let mut ids: Vec<&str> = rules().iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules().len());
}

#[test]
fn what_only_looks_so_is_none() {
    for text in [
        // AWS: other letters, other length, one letter again and again, inside of something longer.
        "AKIA2WYOJFLJOOA7LQS1",
        "AKIA2WYOJFLJOOA7LQSAB",
        "AKIAAAAAAAAAAAAAAAAA",
        "xAKIA2WYOJFLJOOA7LQSA",
        "aws_secret_access_key = 96b50ac2f86702824c1c099724caf4941d407201",
        "aws_secret_access_key = /usr/lib/python3/dist-packages/botocore1",
        // Tokens: placeholders, rows, other lengths.
        "AIzaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "ghp_Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y3gm1",
        "glpat-xxxxxxxxxxxxxxxxxxxx",
        "xoxb-not-a-token-at-all-but-long-enough-to-be-one",
        "sk_live_your_key_here_please_replace",
        "npm_config_registry_of_the_whole_company",
        "pypi-AgEIcHlwaS5vcmcabc",
        "SG.this.is.no.key",
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "AccountKey=c2hvcnQ=",
        "1Q~ and 7Q~",
        // JWT: no JSON, no algorithm, one part too few or too many.
        "eyJhbGciOiJIUzI1NiJ9.eyJhbGciOi",
        "eyJhIjoxfQ.eyJhIjoxfQ.abcdefgh",
        "eyJxxxxx.eyJxxxxx.abcdefgh",
        "xeyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJhIjoxfQ.abcdefgh",
        // Keys: the strings of a library, a certificate, no base 64.
        "-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0",
        "-----BEGIN CERTIFICATE-----\nMC4CAQAwBQYDK2VwBCIEIIlg16DgeH2+zHoSgxYEihA73jIlgqlOj00ZmO5ffaCT\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nput your key here\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END RSA PRIVATE KEY-----",
        "client-key-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        // URLs: nobody's password, or a place for one.
        "postgres://user:password@localhost/db",
        "postgresql://scott:tiger@localhost/test",
        "postgres://app:${DB_PASSWORD}@db/app",
        "mysql://root:****@db/x",
        "mongodb://{user}:{password}@{host}/",
        "redis://:%s@host",
        "postgres://app@db/app",
        "https://shop.net/a:b@c",
        "https://shop.net:8080/login",
        "foo://a:s3same-Street@b/",
        "machine learning is login free, the password is none",
        "machine shop.net login bob password changeme",
        "{\"auth\": \"bm90aGluZw==\"}",
        "{\"auth\": \"yes\"}",
        "Basic c2hvcDpzM3NhbWUtU3RyZWV0",
        "Authorization: Basic bm90aGluZw==",
        "Authorization: Bearer <token>",
        "the Bearer f9dqcUgxM9ZZ810pkf6Xlx8RtCqtD1GDIW",
        // Cards: Luhn's sum, issuer, length, part of something.
        "card 4111111111111112",
        "card 9111111111111111",
        "card 41111111111111111",
        "card 0.4111111111111111",
        "card x4111111111111111",
        "card 4111111111111111e5",
        "card 4000000000000000",
        "card 4111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111 1111",
        "card 41111111-1111-1111",
        "1732622337000 1732622337000",
        // Names of secrets in programs: calls, fields, messages, placeholders, references.
        "password = getpass.getpass(prompt1)",
        "token = self.token2[0]",
        "password: str, user1: str",
        "the password hT7vK2pQ9xZr4LmW is wrong",
        "if (password == hT7vK2pQ9xZr4LmW)",
        "PASSWORD=changeme1",
        "DB_PASSWORD=${DB_PASSWORD1}",
        "DB_PASSWORD_FILE=/run/secrets/db1",
        "secretName: tls-2024-cert",
        "token_type: Bearer1x",
        "csrfToken: undefined",
        "password_hash::verify2x",
        "PASSWORD=hT7vK2\x01pQ9xZr4LmW",
        "db:5432:shop:app",
    ] {
        let all: Vec<Told> = told(text);
        assert!(all.is_empty(), "{text:?}: {all:?}");
    }
}

#[test]
fn a_pair_is_found_together_and_apart() {
    let (id, secret) =
        (whole("AKIA¦2WYOJFLJOOA7LQSA"), whole("IrleG6woopoDzp7O8QuKEh6¦D0JCk39QmJWikyFE+"));
    for gap in [1, 20, 400] {
        let near = told(&format!("{id}{}{secret}", "\0".repeat(gap)));
        let found: Vec<_> = near.iter().map(|one| (one.1, one.2)).collect();
        let both = [("aws-access-key", Confidence::High), ("aws-secret-key", Confidence::High)];
        assert_eq!(found, both, "{gap}");
        let before = told(&format!("{secret}{}{id}", "\0".repeat(gap)));
        assert_eq!(before.len(), 2, "{gap}");
    }
    let far = told(&format!("{id}{}{secret}", "\0".repeat(2000)));
    assert_eq!(
        far.iter().map(|one| (one.1, one.2)).collect::<Vec<_>>(),
        [("aws-access-key", Confidence::Medium)]
    );
}

fn sown() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<String> = found().into_iter().map(|one| one.2).collect();
    let part = prop_oneof![
        3 => prop::sample::select(texts).prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..300),
        1 => (0_usize..3000).prop_map(|len| vec![0; len]),
        1 => vec(prop::sample::select(&b"0123456789 -AKIA2eyJ:/.@\""[..]), 0..200),
        1 => prop::sample::select(&["4111", " 1111", "-----BEGIN ", "eyJ", "://", "Bearer ", "\"auth\"", "machine "][..])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn where_memory_is_cut_does_not_matter(memory in sown(), way in way()) {
        let whole = scan(&pieces(&memory, way.start, &[1 << 20]), Work { threads: 1, chunk: 1 << 20 });
        let Way { start, cuts, threads, chunk } = way;
        let work = Work { threads, chunk };
        prop_assert_eq!(scan(&pieces(&memory, start, &cuts), work), whole);
    }

    #[test]
    fn where_memory_is_cut_does_not_matter_in_utf16_either(
        parts in vec((sown(), 0..4), 0..4),
        way in way(),
    ) {
        let memory: Vec<u8> = parts.into_iter().flat_map(|(part, how)| match how {
            0 => wide(&part, Encoding::Utf16Le),
            1 => wide(&part, Encoding::Utf16Be),
            2 => [b"\x01".to_vec(), wide(&part, Encoding::Utf16Le)].concat(),
            _ => part,
        }).collect();
        let scanner = SecretScanner::new().utf16();
        let whole = scan_with(&scanner, &pieces(&memory, way.start, &[1 << 20]), Work { threads: 1, chunk: 1 << 20 });
        let Way { start, cuts, threads, chunk } = way;
        let work = Work { threads, chunk };
        prop_assert_eq!(scan_with(&scanner, &pieces(&memory, start, &cuts), work), whole);
    }

    /// What is in text is in the same text as UTF-16, at twice the distance.
    #[test]
    fn utf16_says_what_8_bits_say(memory in sown()) {
        let text: Vec<u8> = memory.iter().map(|byte| match byte {
            b' '..=b'~' | b'\n' | b'\r' | b'\t' => *byte,
            other => b' ' + other % 16,
        }).collect();
        let scanner = SecretScanner::new().utf16();
        let all = |bytes: &[u8]| scan_with(&scanner, &pieces(bytes, 0, &[1 << 20]), Work::default());
        let narrow: Vec<Told> = all(&text);
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            let seen = all(&wide(&text, encoding));
            let expected: Vec<Told> = if text.len() < 8 { Vec::new() } else {
                narrow.iter().map(|(at, rule, sure, value)| (at * 2, *rule, *sure, value.clone())).collect()
            };
            prop_assert_eq!(seen, expected, "{:?}", encoding);
        }
        // And nothing of it without being asked for.
        prop_assert!(scan(&pieces(&wide(&text, Encoding::Utf16Le), 0, &[1 << 20]), Work::default()).is_empty());
    }

    /// Every number by itself: digits, Luhn's sum and neighbours as the rule says it, no stride.
    #[test]
    fn numbers_of_cards_are_found_as_one_looks_at_every_byte(
        parts in vec(prop_oneof![
            Just("4111111111111111".to_owned()), Just("378282246310005".to_owned()),
            "[0-9]{1,20}", "[ x;=]{1,3}", Just("card".to_owned()),
        ], 0..30),
    ) {
        let text = parts.concat();
        let bytes = text.as_bytes();
        let mut wanted = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = &text[at..at + len];
            let alone = [at.checked_sub(1), Some(at + len)].into_iter().flatten().all(|beside| {
                bytes.get(beside).is_none_or(|byte| !byte.is_ascii_alphanumeric())
            });
            let sum: u32 = digits.bytes().rev().enumerate().map(|(place, digit)| {
                let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
                value / 10 + value % 10
            }).sum();
            let known = ["4111111111111111", "378282246310005"].contains(&digits);
            if alone && known && sum.is_multiple_of(10) {
                wanted.push(at as u64);
            }
            at += len.max(1);
        }
        let rows: Vec<&str> = text.split(|c: char| !c.is_ascii_digit() && c != ' ').collect();
        prop_assume!(rows.iter().all(|row| row.len() <= 64));
        let seen: Vec<u64> = told(&text).into_iter()
            .filter(|one| one.1 == "payment-card" && ["4111111111111111", "378282246310005"].contains(&one.3.as_str()))
            .map(|one| one.0).collect();
        prop_assert_eq!(seen, wanted);
    }

    #[test]
    fn any_bytes_are_looked_at_without_a_panic(memory in vec(any::<u8>(), 0..2000), text in "[ -~\\n]{0,400}") {
        let _ = scan(&pieces(&memory, 0, &[100]), Work::default());
        let _ = told(&text);
    }
}

const AT: u64 = 0x7000_0000_0000;

/// A process, its fork, and a file: one secret in an environment, twice in memory, and in the file.
fn family() -> Checkpoint {
    let page = |text: &str| {
        let mut page = text.as_bytes().to_vec();
        page.resize(4096, 0);
        page
    };
    let env = [
        "PATH=/bin",
        "DB_PASSWORD=s3same-Street",
        "PASSWORD_FILE=/run/secrets/db",
        "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
        "PWD=/srv/app",
        "API_TOKEN=changeme",
        "SORT_KEY=name",
        "FLASK_SECRET_KEY=/etc/key",
        "SESSION_KEY=f9dqcUgxM9ZZ810pkf6Xlx8R",
        "DSN=postgres://shop:s3same-Street@db.shop/x",
    ];
    let task = |pid: u32| {
        Task::new(pid, pid - 1)
            .env(&env)
            .map(Vma::anon(AT, 0x1000))
            .pages(AT, page("config: s3same-Street, and card 4111111111111111"))
    };
    let mut dump = Dump::new();
    dump.task(task(1).fd(3, File::pipe_read(900, "pin s3same-Street in a pipe"))).task(task(2));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.tar");
    std::fs::write(&path, Archive::podman(&dump).tar()).expect("written");
    Checkpoint::open(&path).expect("a checkpoint")
}

#[test]
fn equal_secrets_are_told_once() {
    let checkpoint = family();
    let artifacts = checkpoint.artifacts(&ckpt_archive::Options::default());
    let found = summary(&checkpoint, &artifacts.list, &[], Confidence::Medium, Work::default());
    let mut told: Vec<(&str, String, u64)> = found
        .secrets
        .iter()
        .map(|one| {
            let value = String::from_utf8_lossy(one.secret.value()).into_owned();
            (one.secret.rule().id, value, one.places)
        })
        .collect();
    told.sort();
    // The password stands in two variables of two processes, in their memory, and in a pipe.
    let wanted = [
        ("env-secret", "f9dqcUgxM9ZZ810pkf6Xlx8R", 2),
        ("env-secret", "s3same-Street", 7),
        ("payment-card", "4111111111111111", 2),
    ];
    let wanted = wanted.map(|(rule, value, places)| (rule, value.to_owned(), places));
    assert_eq!(told, wanted);
    let password =
        found.secrets.iter().find(|one| one.secret.detail() == Some("value of DB_PASSWORD"));
    let spots = &password.expect("the password").spots;
    assert!(
        matches!(&spots[0], Spot::Environment { pid: Pid(1), name, address: Some(_) } if name.as_bytes() == b"DB_PASSWORD")
    );
    assert!(spots.iter().any(
        |spot| matches!(spot, Spot::Memory { pid: Pid(2), address, .. } if address.0 == AT + 8)
    ));
    assert!(spots.iter().any(|spot| matches!(spot, Spot::Artifact { offset: 4, .. })));
}

#[test]
fn redacted_shows_a_quarter_at_most_and_nothing_of_short_ones() {
    for (rule, _, text, value) in found() {
        for one in summary_of(&text).iter().filter(|one| one.rule().id == rule) {
            let shown = one.redacted();
            let (ends, _) = shown.split_once(" (").expect("a length behind it");
            let letters = ends.chars().filter(|c| *c != '…').count();
            assert!(letters * 4 <= value.len(), "{shown} of {value}");
            assert!(value.len() >= 16 || letters == 0, "{shown}");
            assert!(
                shown.ends_with(&format!("({} bytes, sha256 {})", value.len(), one.mark())),
                "{shown}"
            );
            let debug = format!("{one:?}");
            assert!(value.len() < 12 || !debug.contains(&value), "{debug}");
        }
    }
    let shown = |text: &str| summary_of(text)[0].redacted();
    assert_eq!(shown("card 4111111111111111"), "41…11 (16 bytes, sha256 9bbef194)");
    assert_eq!(shown("postgres://shop:s3same-Street@db.shop/x"), "… (13 bytes, sha256 53a92b6f)");
}

fn summary_of(text: &str) -> Vec<Secret> {
    struct All<'a>(&'a SecretScanner);
    impl Sink for All<'_> {
        type Batch = Vec<Secret>;
        fn add(&self, batch: &mut Vec<Secret>, hit: &Hit<'_>) -> ControlFlow<()> {
            batch.extend(self.0.secret(hit));
            ControlFlow::Continue(())
        }
    }
    let scanner = SecretScanner::new();
    let mut all = Vec::new();
    let pieces = pieces(text.as_bytes(), 0, &[1 << 20]);
    let done: Result<(), Infallible> =
        run(pieces.into_iter(), &scanner, &All(&scanner), Work::default(), |mut batch| {
            all.append(&mut batch);
            Ok(())
        });
    assert!(done.is_ok());
    all
}

/// Where a token begins, others can begin all along.
#[test]
fn tokens_inside_of_tokens_end() {
    let text = "eyJ".repeat((8 << 20) / 3);
    let began = std::time::Instant::now();
    let found = SecretScanner::new().in_bytes(text.as_bytes());
    assert!(found.is_empty());
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// Each line of a text can look like the beginning of a key, and like a line before the body of the one before.
#[test]
fn few_lines_stand_before_the_body_of_a_key() {
    let scanner = SecretScanner::new();
    for (lines, found) in [(3, 1), (16, 1), (17, 0)] {
        let headers = "Comment: x\n".repeat(lines);
        let text = whole(PEM).replacen("KEY-----\n", &format!("KEY-----\n{headers}\n"), 1);
        assert_eq!(scanner.in_bytes(text.as_bytes()).len(), found, "{lines} lines");
    }
}

/// What is assigned to a name can be an assignment again, without end.
#[test]
fn assignments_of_assignments_end() {
    let scanner = SecretScanner::new();
    let began = std::time::Instant::now();
    for text in [
        "password=a1B2c3:".repeat(4000),
        "secret=token=a1b2C3d4password:".repeat(2000),
        "token=>secret=x9Z".repeat(4000),
        "db:5432:app:user:".repeat(4000),
        "Authorization: Bearer token=a1B2:".repeat(2000),
    ] {
        let _ = scanner.in_bytes(text.as_bytes());
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    let found = scanner.in_bytes(b"password=token=x9Z7q4Lm2Rt8 ");
    assert_eq!(found.len(), 1, "{found:?}");
}
