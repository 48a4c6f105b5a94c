#include "fsdrivers/ext4_nokey.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/endian.h"
#include "disk/error.h"

namespace vimg::ext4 {
namespace {

// Spec: linux fs/crypto/fname.c, "struct fscrypt_nokey_name": two words of hash, at most 149 bytes
// of ciphertext, then the digest of the rest; in base64url without padding.
constexpr std::size_t hash_size = 8;
constexpr std::size_t max_plain_size = 149;
constexpr std::size_t full_size = hash_size + max_plain_size + sizeof(Sha256);
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode_base64(std::string_view bytes) {
  std::string text;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char byte : bytes) {
    buffer = buffer << 8 | std::uint8_t(byte);
    for (bits += 8; bits >= 6; bits -= 6) {
      text += alphabet[buffer >> (bits - 6) & 63];
    }
  }
  if (bits > 0) {
    text += alphabet[buffer << (6 - bits) & 63];
  }
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char character : text) {
    const std::size_t value = alphabet.find(character);
    if (value == std::string_view::npos) {
      return std::nullopt;
    }
    buffer = buffer << 6 | std::uint32_t(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += char(buffer >> bits & 0xff);
    }
  }
  const bool is_canonical = (buffer & ((1U << bits) - 1)) == 0;
  return is_canonical ? std::optional(bytes) : std::nullopt;
}

Sha256 digest_of_rest(std::string_view stored) {
  return sha256(bytes_of(stored.substr(max_plain_size)));
}

}  // namespace

std::string nokey_name(NameHash hash, std::string_view stored) {
  const std::array<le32, 2> words{le32(hash.major), le32(hash.minor)};
  std::string bytes(text_of(bytes_of(words)));
  bytes += stored.substr(0, max_plain_size);
  if (stored.size() > max_plain_size) {
    bytes += text_of(digest_of_rest(stored));
  }
  return encode_base64(bytes);
}

bool NokeyName::matches(std::string_view stored) const {
  if (!rest) {
    return stored == bytes;
  }
  return stored.size() > max_plain_size && stored.substr(0, max_plain_size) == bytes &&
         digest_of_rest(stored) == *rest;
}

std::optional<NokeyName> parse_nokey_name(std::string_view name) {
  const auto bytes = decode_base64(name);
  if (!bytes || bytes->size() <= hash_size ||
      (bytes->size() > hash_size + max_plain_size && bytes->size() != full_size)) {
    return std::nullopt;
  }
  const ConstBytes raw = bytes_of(std::string_view(*bytes));
  NokeyName parsed{{load<le32>(raw), load<le32>(raw, 4)},
                   bytes->substr(hash_size, max_plain_size),
                   std::nullopt};
  if (bytes->size() == full_size) {
    Sha256 digest{};
    const ConstBytes tail = raw.last(digest.size());
    std::copy(tail.begin(), tail.end(), digest.begin());
    parsed.rest = digest;
  }
  return parsed;
}

// Spec: linux fs/crypto/fscrypt_private.h, "struct fscrypt_symlink_data": a length, the ciphertext.
std::string nokey_symlink(std::string_view stored) {
  const std::size_t length =
      stored.size() > sizeof(le16) ? load<le16>(bytes_of(stored)).value() : 0;
  if (length == 0 || !fits(sizeof(le16), length, stored.size())) {
    throw_corrupt(layer, fmt::format("an encrypted link of {} bytes has a target of {}",
                                     stored.size(), length));
  }
  return nokey_name({}, stored.substr(sizeof(le16), length));
}

}  // namespace vimg::ext4
