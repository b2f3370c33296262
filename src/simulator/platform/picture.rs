//! QR codes as pictures: real ones, which a telephone reads.
//!
//! A JPEG file cuts a picture into squares of eight by eight points. A code drawn with squares of just
//! that size needs nothing but the mean brightness of each, so that the coder is a page long.

use bytes::Bytes;
use qrcodegen::QrCode;
use qrcodegen::QrCodeEcc;

/// Squares of the quiet margin around a code.
const MARGIN: i32 = 4;

/// JPEG squares in each direction for one square of a code.
const SCALE: i32 = 2;

/// The code that says `text`, as a grey JPEG; `None` when the text is too long for one.
pub(super) fn qr_code(text: &str) -> Option<Bytes> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = (code.size() + 2 * MARGIN) * SCALE;
    let is_dark = |x: i32, y: i32| code.get_module(x / SCALE - MARGIN, y / SCALE - MARGIN);
    let pixels = u16::try_from(side * 8).ok()?;
    let mut file = head(pixels);
    let mut bits = Bits::default();
    let mut before = 0;
    for y in 0..side {
        for x in 0..side {
            let brightness = if is_dark(x, y) { DARK } else { LIGHT };
            bits.square(brightness - before);
            before = brightness;
        }
    }
    file.extend(bits.end());
    file.extend([0xff, 0xd9]);
    Some(file.into())
}

/// The mean brightness of a black and a white square, as JPEG writes it: eight times the distance from
/// the middle grey, divided by the quantiser, which is 8.
const DARK: i32 = -127;
const LIGHT: i32 = 128;

/// Everything before the picture's bits: a grey picture, one quantiser for all, two small code tables.
fn head(pixels: u16) -> Vec<u8> {
    let [high, low] = pixels.to_be_bytes();
    let mut head = vec![0xff, 0xd8];
    // JFIF, without a resolution.
    head.extend([0xff, 0xe0, 0, 16]);
    head.extend(*b"JFIF\0");
    head.extend([1, 1, 0, 0, 1, 0, 1, 0, 0]);
    head.extend([0xff, 0xdb, 0, 67, 0]);
    head.extend([8; 64]);
    head.extend([0xff, 0xc0, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]);
    // Brightness: "no change" is 0, a change of eight bits is 10.
    head.extend([0xff, 0xc4, 0, 21, 0x00, 1, 1]);
    head.extend([0; 14]);
    head.extend([0, 8]);
    // Everything finer than brightness: only "nothing follows", which is 0.
    head.extend([0xff, 0xc4, 0, 20, 0x10, 1]);
    head.extend([0; 15]);
    head.push(0);
    head.extend([0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 63, 0]);
    head
}

#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, bits: u32, count: u32) {
        self.pending = (self.pending << count) | bits;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count) as u8;
            self.bytes.push(byte);
            // A byte of ones would begin a marker.
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
        self.pending &= (1 << self.count) - 1;
    }

    /// One square that differs by so much from the one before: by nothing, or by 128 to 255.
    fn square(&mut self, change: i32) {
        match change {
            0 => self.push(0, 1),
            _ => {
                self.push(0b10, 2);
                let written = if change < 0 { change + 255 } else { change };
                self.push(written as u32 & 0xff, 8);
            }
        }
        self.push(0, 1);
    }

    fn end(mut self) -> Vec<u8> {
        let missing = (8 - self.count) % 8;
        self.push((1 << missing) - 1, missing);
        self.bytes
    }
}
