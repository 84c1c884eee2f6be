//! One declaration per message: the `prost` struct and its schema.
//!
//! Tag numbers, types and presentation of a field are written once, inside [`message!`], so the decoder and
//! everything that walks raw bytes (listing unknown fields, rendering, checking required fields) cannot disagree.
//!
//! ```text
//! message! {
//!     /// What it is. Source: `criu/images/pagemap.proto`.
//!     PagemapHead = "pagemap_head" {
//!         /// Number of the `pages-N.img` that holds the bytes.
//!         pages_id: required uint32 = 1,
//!     }
//! }
//! ```
//!
//! A field is `name: label kind = number [show]`. Labels are `required`, `optional`, `repeated`; kinds are the protobuf
//! scalar names and `message(Type)`. `string` fields become byte vectors: what CRIU stores there are C strings of the
//! kernel, which promise no encoding. The part in brackets is optional, see [`crate::schema::Show`].

/// Declares messages: the `prost::Message` struct and its [`crate::schema::Described`] schema.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        $name:ident = $upstream:literal { $($body:tt)* }
    )+) => {$(
        message! { @fields [$(#[$meta])*] $name $upstream {} {} $($body)* }
    )+};

    // All fields are consumed: emit.
    (@fields [$($meta:tt)*] $name:ident $upstream:literal {$($field:tt)*} {$($schema:tt)*}) => {
        $($meta)*
        #[doc = concat!("\n\nUpstream name: `", $upstream, "`.")]
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name { $($field)* }

        impl $crate::schema::Described for $name {
            fn schema() -> &'static $crate::schema::MessageSchema {
                static SCHEMA: $crate::schema::MessageSchema = $crate::schema::MessageSchema {
                    name: $upstream,
                    fields: &[$($schema)*],
                    decode: |payload| <$name as prost::Message>::decode(payload).map(drop),
                    reencode: |payload| {
                        let message = <$name as prost::Message>::decode(payload)?;
                        Ok(prost::Message::encode_to_vec(&message))
                    },
                };
                &SCHEMA
            }
        }
    };

    // One field: first its kind gives the prost attribute words, the Rust type, the schema kind ...
    (@fields $meta:tt $name:ident $upstream:literal $fields:tt $schema:tt
        $(#[$fm:meta])* $f:ident : $label:ident string = $tag:tt $([$($show:tt)+])? $(, $($rest:tt)*)?) => {
        message! { @label $label $meta $name $upstream $fields $schema
            [$(#[$fm])*] $f $tag [bytes = "vec"] [bytes = "vec"] [Vec<u8>] [$crate::schema::Kind::String]
            ["string"] [$($($show)+)?] $($($rest)*)? }
    };
    (@fields $meta:tt $name:ident $upstream:literal $fields:tt $schema:tt
        $(#[$fm:meta])* $f:ident : $label:ident bytes = $tag:tt $([$($show:tt)+])? $(, $($rest:tt)*)?) => {
        message! { @label $label $meta $name $upstream $fields $schema
            [$(#[$fm])*] $f $tag [bytes = "vec"] [bytes = "vec"] [Vec<u8>] [$crate::schema::Kind::Bytes]
            ["bytes"] [$($($show)+)?] $($($rest)*)? }
    };
    (@fields $meta:tt $name:ident $upstream:literal $fields:tt $schema:tt
        $(#[$fm:meta])* $f:ident : $label:ident message($sub:ident) = $tag:tt $([$($show:tt)+])? $(, $($rest:tt)*)?) => {
        message! { @label $label $meta $name $upstream $fields $schema
            [$(#[$fm])*] $f $tag [message] [message] [$sub]
            [$crate::schema::Kind::Message(<$sub as $crate::schema::Described>::schema)]
            [concat!("message ", stringify!($sub))] [$($($show)+)?] $($($rest)*)? }
    };
    (@fields $meta:tt $name:ident $upstream:literal $fields:tt $schema:tt
        $(#[$fm:meta])* $f:ident : $label:ident $kind:ident = $tag:tt $([$($show:tt)+])? $(, $($rest:tt)*)?) => {
        message! { @label $label $meta $name $upstream $fields $schema
            [$(#[$fm])*] $f $tag [$kind] [$kind, packed = "false"] [message!(@rust $kind)] [message!(@kind $kind)]
            [stringify!($kind)] [$($($show)+)?] $($($rest)*)? }
    };

    // ... then its label gives the container, and the field moves to the accumulators.
    (@label required [$($meta:tt)*] $name:ident $upstream:literal {$($field:tt)*} {$($schema:tt)*}
        [$($fm:tt)*] $f:ident $tag:tt [$($one:tt)+] [$($many:tt)+] [$ty:ty] [$kind:expr] [$word:expr]
        [$($show:tt)*] $($rest:tt)*) => {
        message! { @fields [$($meta)*] $name $upstream {
            $($field)*
            $($fm)*
            #[doc = concat!("\n\nField ", stringify!($tag), ", required ", $word, ".")]
            #[prost($($one)+, required, tag = $tag)]
            pub $f: $ty,
        } {
            $($schema)*
            message!(@schema $f $tag Required $kind, [$($show)*]),
        } $($rest)* }
    };
    (@label optional [$($meta:tt)*] $name:ident $upstream:literal {$($field:tt)*} {$($schema:tt)*}
        [$($fm:tt)*] $f:ident $tag:tt [$($one:tt)+] [$($many:tt)+] [$ty:ty] [$kind:expr] [$word:expr]
        [$($show:tt)*] $($rest:tt)*) => {
        message! { @fields [$($meta)*] $name $upstream {
            $($field)*
            $($fm)*
            #[doc = concat!("\n\nField ", stringify!($tag), ", optional ", $word, ".")]
            #[prost($($one)+, optional, tag = $tag)]
            pub $f: Option<$ty>,
        } {
            $($schema)*
            message!(@schema $f $tag Optional $kind, [$($show)*]),
        } $($rest)* }
    };
    (@label repeated [$($meta:tt)*] $name:ident $upstream:literal {$($field:tt)*} {$($schema:tt)*}
        [$($fm:tt)*] $f:ident $tag:tt [$($one:tt)+] [$($many:tt)+] [$ty:ty] [$kind:expr] [$word:expr]
        [$($show:tt)*] $($rest:tt)*) => {
        message! { @fields [$($meta)*] $name $upstream {
            $($field)*
            $($fm)*
            #[doc = concat!("\n\nField ", stringify!($tag), ", repeated ", $word, ".")]
            #[prost($($many)+, repeated, tag = $tag)]
            pub $f: Vec<$ty>,
        } {
            $($schema)*
            message!(@schema $f $tag Repeated $kind, [$($show)*]),
        } $($rest)* }
    };

    (@schema $f:ident $tag:tt $label:ident $kind:expr, [$($show:tt)*]) => {
        $crate::schema::FieldSchema {
            number: $tag,
            name: $crate::schema::field_name(stringify!($f)),
            label: $crate::schema::Label::$label,
            kind: $kind,
            show: message!(@show $($show)*),
        }
    };

    (@show) => { $crate::schema::Show::Plain };
    (@show hex) => { $crate::schema::Show::Hex };
    (@show octal) => { $crate::schema::Show::Octal };
    (@show ip) => { $crate::schema::Show::Ip };
    (@show dev) => { $crate::schema::Show::Dev };
    (@show odev) => { $crate::schema::Show::Odev };
    (@show unix_name) => { $crate::schema::Show::UnixName };
    (@show signal) => { $crate::schema::Show::Signal };
    (@show personality) => { $crate::schema::Show::Personality };
    (@show signal_set) => { $crate::schema::Show::SignalSet };
    (@show open_flags) => { $crate::schema::Show::OpenFlags };
    (@show map_flags) => { $crate::schema::Show::MapFlags };
    (@show flags($table:expr)) => { $crate::schema::Show::Flags($table) };
    (@show names($table:expr)) => { $crate::schema::Show::Names($table) };

    (@rust uint32) => { u32 };
    (@rust uint64) => { u64 };
    (@rust int32) => { i32 };
    (@rust int64) => { i64 };
    (@rust sint32) => { i32 };
    (@rust sint64) => { i64 };
    (@rust fixed64) => { u64 };
    (@rust bool) => { bool };

    (@kind uint32) => { $crate::schema::Kind::Uint32 };
    (@kind uint64) => { $crate::schema::Kind::Uint64 };
    (@kind int32) => { $crate::schema::Kind::Int32 };
    (@kind int64) => { $crate::schema::Kind::Int64 };
    (@kind sint32) => { $crate::schema::Kind::Sint32 };
    (@kind sint64) => { $crate::schema::Kind::Sint64 };
    (@kind fixed64) => { $crate::schema::Kind::Fixed64 };
    (@kind bool) => { $crate::schema::Kind::Bool };
}

pub(crate) use message;
