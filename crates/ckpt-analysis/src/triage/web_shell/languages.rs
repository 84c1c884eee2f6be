//! Languages of pages: what runs something in them, and where a request is.

use memchr::memmem;

use crate::triage::places::{is_cgi, is_document, is_scratch, is_served, split, within};

/// What makes a language's pages dangerous. All words in lower case and without blanks.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) name: &'static str,
    /// Functions that run code or commands.
    pub(super) runs: &'static [&'static str],
    /// Where a request's data is.
    pub(super) input: &'static [&'static str],
    /// Functions that turn text into other text.
    pub(super) decodes: &'static [&'static str],
    /// Functions that write a file: its name, and what is in it.
    pub(super) stores: &'static [&'static str],
    /// What stands between backticks is run.
    pub(super) backticks: bool,
    /// What ends a statement.
    pub(super) ends: &'static [u8],
    /// What variables begin with, `$` in PHP.
    pub(super) sigil: Option<u8>,
}

pub(super) const PHP: Language = Language {
    name: "PHP",
    runs: &[
        "eval(",
        "assert(",
        "system(",
        "exec(",
        "passthru(",
        "shell_exec(",
        "popen(",
        "proc_open(",
        "pcntl_exec(",
        "create_function(",
        "call_user_func(",
        "call_user_func_array(",
        "array_map(",
        "array_filter(",
        "array_walk(",
        "array_reduce(",
        "usort(",
        "uasort(",
        "uksort(",
        "ob_start(",
        "forward_static_call(",
        "register_shutdown_function(",
        "preg_replace(",
        "include(",
        "include_once(",
        "require(",
        "require_once(",
        "include$",
        "require$",
    ],
    input: &[
        "$_get",
        "$_post",
        "$_request",
        "$_cookie",
        "$_files",
        "$_server['http_",
        "$_server[\"http_",
        "$_server['query",
        "$_server[\"query",
        "php://input",
        "getallheaders(",
        "apache_request_headers(",
        "$http_raw_post_data",
        "filter_input(",
    ],
    decodes: &[
        "base64_decode(",
        "gzinflate(",
        "gzuncompress(",
        "gzdecode(",
        "str_rot13(",
        "strrev(",
        "hex2bin(",
        "pack(",
        "convert_uudecode(",
        "urldecode(",
        "openssl_decrypt(",
    ],
    stores: &["file_put_contents(", "move_uploaded_file(", "copy(", "fopen("],
    backticks: true,
    ends: b";",
    sigil: Some(b'$'),
};

pub(super) const JAVA: Language = Language {
    name: "JSP",
    runs: &[
        "getruntime().exec(",
        "runtime.exec(",
        "new processbuilder(",
        "defineclass(",
        "scriptenginemanager(",
        ".eval(",
        "elprocessor(",
    ],
    input: &[
        "request.getparameter",
        "request.getheader",
        "request.getinputstream",
        "request.getreader",
        "request.getquerystring",
        "request.getcookies",
        "${param.",
    ],
    decodes: &["base64", "cipher.getinstance", "urlclassloader"],
    stores: &["fileoutputstream(", "filewriter(", "files.write("],
    backticks: false,
    ends: b";",
    sigil: None,
};

pub(super) const ASP: Language = Language {
    name: "ASP",
    runs: &[
        "eval(",
        "execute(",
        "executeglobal(",
        "execute request",
        "eval request",
        "executeglobal request",
        "process.start(",
        "processstartinfo(",
        "wscript.shell",
        "assembly.load(",
        ".exec(",
        "shell(",
    ],
    input: &[
        "request.form",
        "request.querystring",
        "request.item",
        "request(",
        "request[",
        "request.binaryread",
        "request.headers",
        "request.params",
        "request.inputstream",
    ],
    decodes: &["frombase64string(", "createdecryptor("],
    stores: &["writealltext(", "writeallbytes(", "createtextfile(", "streamwriter(", "saveas("],
    backticks: false,
    ends: b";\n",
    sigil: None,
};

pub(super) const NODE: Language = Language {
    name: "JavaScript",
    runs: &[
        "exec(",
        "execsync(",
        "execfile(",
        "spawn(",
        "spawnsync(",
        "eval(",
        "new function(",
        "runinthiscontext(",
    ],
    input: &[
        "req.query",
        "req.body",
        "req.params",
        "req.headers",
        "req.cookies",
        "req.url",
        "request.query",
        "ctx.query",
        "ctx.request.body",
        "url.parse(",
        "searchparams.get",
    ],
    decodes: &["buffer.from(", "atob("],
    stores: &["writefile(", "writefilesync(", "createwritestream("],
    backticks: false,
    ends: b";\n",
    sigil: None,
};

/// What CGI scripts of any language are given; `http_` alone would be `http_proxy`, too.
const CGI_INPUT: &[&str] = &[
    "fieldstorage(",
    "getvalue(",
    "query_string",
    "request.args",
    "request.form",
    "request.get_json",
    "request.values",
    "request.data",
    "sys.stdin",
    "<stdin>",
    "param(",
    "params[",
    "http_user_agent",
    "http_cookie",
    "http_referer",
    "http_accept",
    "http_auth",
    "http_x_",
    "self.path",
    "self.headers",
];

const CGI_DECODES: &[&str] =
    &["b64decode(", "decode_base64(", "decompress(", "fromhex(", "marshal.loads("];

/// Perl, Ruby and shells.
pub(super) const SCRIPT: Language = Language {
    name: "CGI",
    runs: &[
        "exec(", "exec$", "eval(", "system(", "system$", "system\"", "qx", "popen(", "open(",
        "open ", "eval\"", "eval$", "bash-c", "sh-c",
    ],
    input: CGI_INPUT,
    decodes: CGI_DECODES,
    stores: &[],
    backticks: true,
    ends: b";\n",
    sigil: None,
};

/// Its backticks are prose.
pub(super) const PYTHON: Language = Language {
    name: "CGI",
    runs: &["os.system(", "os.popen(", "subprocess.", "exec(", "eval(", "popen("],
    input: CGI_INPUT,
    decodes: CGI_DECODES,
    stores: &["open("],
    backticks: false,
    ends: b";\n",
    sigil: None,
};

/// What language a file is a page of, by its name and how it begins.
/// Scripts are pages where a server runs them: among those of CGI, or as a program among documents.
pub(super) fn language(path: &[u8], start: &[u8], executable: bool) -> Option<&'static Language> {
    let name = split(path).1.to_ascii_lowercase();
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'.').skip(1).collect();
    let is = |ends: &[&[u8]]| parts.iter().any(|part| ends.contains(part));
    let php = has(start, b"<?php") || has(start, b"<?=");
    if is(&[
        b"php", b"php3", b"php4", b"php5", b"php7", b"php8", b"phtml", b"phar", b"pht", b"inc",
        b"phps",
    ]) || (php && is_page_place(path))
    {
        return Some(&PHP);
    }
    if is(&[b"jsp", b"jspx", b"jspf", b"jsw", b"jsv"]) {
        return Some(&JAVA);
    }
    if is(&[b"asp", b"aspx", b"ashx", b"asmx", b"asa", b"cer", b"cshtml"]) {
        return Some(&ASP);
    }
    if is(&[b"js", b"mjs", b"cjs"]) && is_served(path) {
        return Some(&NODE);
    }
    let named = is(&[b"cgi", b"pl", b"py", b"rb", b"sh"]);
    let program = start.starts_with(b"#!");
    let python = is(&[b"py"])
        || (program
            && start.split(|byte| *byte == b'\n').next().is_some_and(|line| has(line, b"python")));
    let run = ((named || program) && is_cgi(path))
        || is(&[b"cgi"])
        || (program && executable && is_document(path));
    run.then_some(if python { &PYTHON } else { &SCRIPT })
}

/// Whether a text with PHP in it is looked at whatever it is called.
fn is_page_place(path: &[u8]) -> bool {
    is_served(path) || is_scratch(path) || within(path, &[b"/app", b"/opt", b"/home"])
}

/// Whether a text has a word.
pub(super) fn has(text: &[u8], word: &[u8]) -> bool {
    memmem::find(text, word).is_some()
}
