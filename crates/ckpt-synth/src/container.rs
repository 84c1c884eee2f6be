//! What an engine knows of the container, for the JSON members around the images.

/// The container, as an engine describes it.
#[derive(Clone, Debug)]
pub struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) hostname: String,
    pub(crate) command: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) ip: Option<[u8; 4]>,
    pub(crate) created: String,
    pub(crate) checkpointed: String,
    pub(crate) mtime: u64,
    pub(crate) pod: String,
    pub(crate) namespace: String,
    pub(crate) pod_uid: String,
    pub(crate) log: String,
    pub(crate) shared_pid_namespace: bool,
    pub(crate) runtime: String,
}

impl Container {
    /// A container by name; its id and its image follow from the name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            id: hex_id(name),
            name: name.to_owned(),
            image: "docker.io/library/alpine:3.22".to_owned(),
            image_id: hex_id("docker.io/library/alpine:3.22"),
            hostname: format!("{name}-host"),
            command: ["sh", "-c", "while :; do sleep 1; done"].map(str::to_owned).to_vec(),
            env: ["PATH=/usr/local/bin:/usr/bin:/bin", "TERM=xterm", "EQUAL=a=b&c<d>"]
                .map(str::to_owned)
                .to_vec(),
            ip: Some([10, 88, 0, 5]),
            created: "2026-11-23T01:41:56.077769986Z".to_owned(),
            checkpointed: "2026-11-23T01:44:57.916723896Z".to_owned(),
            mtime: 1_795_398_297,
            pod: format!("{name}-pod"),
            namespace: "default".to_owned(),
            pod_uid: "85c238e7-1111-4222-8333-30fd909dc382".to_owned(),
            log: "2026-11-23T01:41:57.000000001+00:00 stdout F tick 1\n\
                  2026-11-23T01:41:58.000000001+00:00 stderr F tock 2\n"
                .to_owned(),
            shared_pid_namespace: false,
            runtime: "crun".to_owned(),
        }
    }

    /// Id, 64 hexadecimal digits as a rule.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// Name of the image.
    #[must_use]
    pub fn image(self, image: &str) -> Self {
        Self { image: image.to_owned(), image_id: hex_id(image), ..self }
    }

    /// Host name in the container.
    #[must_use]
    pub fn hostname(self, hostname: &str) -> Self {
        Self { hostname: hostname.to_owned(), ..self }
    }

    /// Arguments that the container was started with.
    #[must_use]
    pub fn command(self, command: &[&str]) -> Self {
        Self { command: command.iter().map(|arg| (*arg).to_owned()).collect(), ..self }
    }

    /// Environment in the runtime specification.
    #[must_use]
    pub fn env(self, env: &[&str]) -> Self {
        Self { env: env.iter().map(|var| (*var).to_owned()).collect(), ..self }
    }

    /// IPv4 address.
    #[must_use]
    pub fn ip(self, ip: [u8; 4]) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// No network: podman's `network.status` is then the word `null`.
    #[must_use]
    pub fn no_network(self) -> Self {
        Self { ip: None, ..self }
    }

    /// Pod, its namespace and its uid.
    #[must_use]
    pub fn pod(self, name: &str, namespace: &str, uid: &str) -> Self {
        let (pod, namespace, pod_uid) = (name.to_owned(), namespace.to_owned(), uid.to_owned());
        Self { pod, namespace, pod_uid, ..self }
    }

    /// When it was created and checkpointed (RFC 3339), and the second that archive members carry.
    #[must_use]
    pub fn times(self, created: &str, checkpointed: &str, mtime: u64) -> Self {
        let (created, checkpointed) = (created.to_owned(), checkpointed.to_owned());
        Self { created, checkpointed, mtime, ..self }
    }

    /// Content of the container's log.
    #[must_use]
    pub fn log(self, log: &str) -> Self {
        Self { log: log.to_owned(), ..self }
    }

    /// The pod shares its process ids: the root task is not pid 1.
    #[must_use]
    pub fn shared_pid_namespace(self) -> Self {
        Self { shared_pid_namespace: true, ..self }
    }

    /// `crun` or `runc`: who wrote `descriptors.json`.
    #[must_use]
    pub fn runtime(self, runtime: &str) -> Self {
        Self { runtime: runtime.to_owned(), ..self }
    }

    /// The id.
    #[must_use]
    pub fn id_str(&self) -> &str {
        &self.id
    }

    /// The second that archive members carry.
    #[must_use]
    pub fn mtime(&self) -> u64 {
        self.mtime
    }

    pub(crate) fn pod_name(&self) -> String {
        format!("{}_{}_{}_{}_0", self.name, self.pod, self.namespace, self.pod_uid)
    }

    pub(crate) fn ip_text(&self) -> String {
        self.ip.map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")).unwrap_or_default()
    }
}

/// Sixty-four hexadecimal digits that follow from `text`; no cryptography.
pub(crate) fn hex_id(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut out = String::new();
    for round in 0..4u8 {
        for byte in text.bytes().chain([round]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        out.push_str(&format!("{:016x}", hash ^ hash.rotate_left(29)));
    }
    out
}
