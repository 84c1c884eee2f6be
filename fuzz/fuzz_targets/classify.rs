//! Any bytes as the name of a file among images. What a kind calls its file, must be known as that kind.
#![no_main]
libfuzzer_sys::fuzz_target!(|name: &[u8]| {
    if let criu_image::Classified::Image(image) = criu_image::classify(name) {
        let again =
            image.kind.file_name(image.id).map(|name| criu_image::classify(name.as_bytes()));
        assert!(again.is_none() || again == Some(criu_image::Classified::Image(image)));
    }
});
