//! The rules, and how sure each of their hits is.

/// How sure it is that something is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// It has the form of one; so have other things.
    Low,
    /// It has the form of one in a place where one stands, or is a damaged one.
    Medium,
    /// It passes a check that nothing passes by chance: a checksum, a parsed body, its other half beside it.
    High,
}

impl Confidence {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SecretRule {
    /// Names it: lower-case letters, digits and dashes; never changes.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What is checked beyond its form.
    pub check: &'static str,
}

/// All rules, in the order in which equal hits are listed.
#[must_use]
pub fn rules() -> &'static [SecretRule] {
    &RULES
}

/// A rule by name; its number is its place in [`RULES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    PrivateKey,
    GcpServiceAccount,
    KubernetesToken,
    Kubeconfig,
    AwsAccessKey,
    AwsSecretKey,
    GcpApiKey,
    GcpOauth,
    AzureStorageKey,
    AzureSharedKey,
    AzureClientSecret,
    Github,
    Gitlab,
    Slack,
    SlackWebhook,
    Stripe,
    Npm,
    Pypi,
    DockerHub,
    Anthropic,
    OpenAi,
    HuggingFace,
    SendGrid,
    DigitalOcean,
    Shopify,
    Vault,
    Age,
    DatabaseUrl,
    UrlPassword,
    Jwt,
    DockerAuth,
    Netrc,
    BasicAuth,
    BearerToken,
    PaymentCard,
    EnvSecret,
    ConfigSecret,
}

impl Rule {
    pub(super) fn number(self) -> usize {
        self as usize
    }

    pub(super) fn rule(self) -> &'static SecretRule {
        // Every variant has its row: a test counts them.
        RULES.get(self.number()).unwrap_or(&UNKNOWN)
    }
}

/// What a number that no rule has would be.
pub(super) static UNKNOWN: SecretRule =
    SecretRule { id: "unknown", title: "unknown", check: "none" };

const fn rule(id: &'static str, title: &'static str, check: &'static str) -> SecretRule {
    SecretRule { id, title, check }
}

static RULES: [SecretRule; 37] = [
    rule(
        "private-key",
        "Private key",
        "body decodes to DER of the right length, or to what OpenSSH and PGP write",
    ),
    rule(
        "gcp-service-account",
        "Google Cloud service account",
        "key as above, in the JSON of a service account",
    ),
    rule(
        "kubernetes-token",
        "Kubernetes service-account token",
        "JWT whose payload names a service account",
    ),
    rule("kubeconfig", "Client key of a kubeconfig", "client-key-data decodes to a private key"),
    rule(
        "aws-access-key",
        "AWS access key id",
        "alphabet of base 32; its secret or its name beside it",
    ),
    rule(
        "aws-secret-key",
        "AWS secret access key",
        "entropy, mixed classes; beside an access key id or its own name",
    ),
    rule("gcp-api-key", "Google API key", "length, entropy"),
    rule("gcp-oauth", "Google OAuth token or client secret", "length, entropy"),
    rule("azure-storage-key", "Azure storage account key", "decodes to 64 bytes"),
    rule("azure-shared-key", "Azure shared access key", "decodes to 32 bytes"),
    rule("azure-client-secret", "Azure client secret", "form and length, entropy"),
    rule("github-token", "GitHub token", "checksum in the token; length for fine-grained ones"),
    rule("gitlab-token", "GitLab token", "length, entropy"),
    rule("slack-token", "Slack token", "groups of digits, entropy"),
    rule("slack-webhook", "Slack webhook", "form of the path"),
    rule(
        "stripe-key",
        "Stripe key",
        "length, entropy; keys of the test mode are never above medium",
    ),
    rule("npm-token", "npm token", "checksum in the token"),
    rule("pypi-token", "PyPI token", "decodes to a macaroon of pypi.org"),
    rule("docker-hub-token", "Docker Hub token", "length, entropy"),
    rule("anthropic-key", "Anthropic API key", "length, entropy"),
    rule("openai-key", "OpenAI API key", "length, entropy"),
    rule("huggingface-token", "Hugging Face token", "length, entropy"),
    rule("sendgrid-key", "SendGrid key", "form, entropy"),
    rule("digitalocean-token", "DigitalOcean token", "64 hexadecimal digits"),
    rule("shopify-token", "Shopify token", "32 hexadecimal digits"),
    rule("vault-token", "HashiCorp Vault token", "length, entropy"),
    rule("age-key", "age identity", "length and alphabet of Bech32"),
    rule(
        "database-url",
        "Password in a database URL",
        "host and password that are no placeholders",
    ),
    rule("url-password", "Password in a URL", "host and password that are no placeholders"),
    rule(
        "jwt",
        "JSON Web Token",
        "header and payload decode to JSON, the header names an algorithm",
    ),
    rule("docker-auth", "Registry login of docker", "decodes to user and password"),
    rule("netrc", "Login of a .netrc", "machine, login and password in one entry"),
    rule(
        "basic-auth",
        "HTTP basic authentication",
        "in an Authorization header, decodes to user and password",
    ),
    rule("bearer-token", "HTTP bearer token", "in an Authorization header, entropy"),
    rule(
        "payment-card",
        "Payment card number",
        "issuer, length and Luhn's sum; above low only beside words of cards",
    ),
    rule(
        "env-secret",
        "Password-like environment variable",
        "name, and a value that is no placeholder, path or flag",
    ),
    rule(
        "config-secret",
        "Password or key in a configuration",
        "assigned to its name; letters and digits as if drawn at random",
    ),
];
