// SPDX-License-Identifier: LGPL-2.1-or-later
#include "download.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

namespace patchcore::cli {
namespace {

constexpr curl_off_t kMostBytes = curl_off_t{2} << 30;
constexpr long kHttpOk = 200, kHttpError = 400, kHttpNotFound = 404, kRangeNotSatisfiable = 416;

/// The file that grows. Only one process at a time has it.
class Part {
 public:
  explicit Part(const std::filesystem::path& path)
      : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail();
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0)
      throw Error(ErrorCode::Write, "Another process is at \"" + path_.string() + "\".");
  }
  ~Part() {
    if (size() == 0) ::unlink(path_.c_str());
    ::close(file_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  curl_off_t size() const { return ::lseek(file_, 0, SEEK_END); }
  bool clear() { return noted(::ftruncate(file_, 0) == 0); }
  bool append(const char* data, size_t bytes) {
    while (bytes > 0) {
      const ssize_t written = ::write(file_, data, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (!noted(written >= 0)) return false;
      data += written;
      bytes -= static_cast<size_t>(written);
    }
    return true;
  }

  /// Throws what append() or clear() could not.
  void check() {
    if ((errno = reason_) != 0) fail();
  }

 private:
  bool noted(bool done) {
    if (!done) reason_ = errno;
    return done;
  }
  [[noreturn]] void fail() const {
    throw Error(errno == ENOSPC || errno == EDQUOT ? ErrorCode::NoSpace : ErrorCode::Write,
                "Can't write \"" + path_.string() + "\": " + std::strerror(errno) + ".");
  }

  std::filesystem::path path_;
  int file_;
  int reason_ = 0;
};

/// One request, which goes on where the part ends.
class Transfer {
 public:
  Transfer(const std::string& address, Part& part, const Monitor& monitor)
      : part_(part),
        monitor_(monitor),
        handle_(curl_easy_init(), &curl_easy_cleanup),
        start_(part.size()),
        range_(std::to_string(start_) + "-") {
    if (!handle_) throw Error(ErrorCode::Init, "libcurl can't be used.");
    set(CURLOPT_URL, address.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, address.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 5L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
    set(CURLOPT_LOW_SPEED_TIME, 60L);
    // Not CURLOPT_RESUME_FROM, which fails where a server knows no ranges.
    if (start_ > 0) set(CURLOPT_RANGE, range_.c_str());
    set(CURLOPT_WRITEFUNCTION, &Transfer::write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::told);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_ERRORBUFFER, reason_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURLcode run() {
    const CURLcode code = curl_easy_perform(handle_.get());
    monitor_.check();
    part_.check();
    return code;
  }

  /// Of the last answer; 0: there was none.
  long status() const {
    long code = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::string reason(CURLcode code) const {
    return reason_[0] != '\0' ? reason_ : curl_easy_strerror(code);
  }

 private:
  template <typename Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_.get(), option, value);
  }

  static size_t write(char* data, size_t, size_t bytes, void* self) {
    auto& me = *static_cast<Transfer*>(self);
    const long status = me.status();
    if (status >= kHttpError) return bytes;  // a page that says so
    if (me.start_ > 0 && status == kHttpOk) {
      // The server begins anew.
      if (!me.part_.clear()) return 0;
      me.start_ = 0;
    }
    if (me.part_.size() + static_cast<curl_off_t>(bytes) > kMostBytes) return 0;
    return me.part_.append(data, bytes) ? bytes : 0;
  }

  static int told(void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
    const auto& me = *static_cast<Transfer*>(self);
    if (me.monitor_.cancelled && me.monitor_.cancelled()) return 1;
    if (total > 0 && me.status() < kHttpError)
      me.monitor_.report(static_cast<double>(me.start_ + now) /
                         static_cast<double>(me.start_ + total));
    return 0;
  }

  Part& part_;
  const Monitor& monitor_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
  curl_off_t start_;  ///< where the answer begins
  std::string range_;
  char reason_[CURL_ERROR_SIZE] = "";
};

bool is_cut(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
         code == CURLE_SEND_ERROR || code == CURLE_OPERATION_TIMEDOUT;
}

/// Is a request that ended so the last one? Throws where no other one would do better.
bool is_complete(const Transfer& transfer, CURLcode code, const std::string& address) {
  const long status = transfer.status();
  const auto refuse = [&](ErrorCode kind, const std::string& why) {
    throw Error(kind, "\"" + address + "\" can't be had: " + why + ".");
  };
  // Nothing is left to send where all had come before.
  if (status == kRangeNotSatisfiable) return true;
  if (status == kHttpNotFound) refuse(ErrorCode::NotFound, "the server doesn't have it");
  if (status >= kHttpError)
    refuse(ErrorCode::OpenRead, "the server says " + std::to_string(status));
  if (code == CURLE_WRITE_ERROR) refuse(ErrorCode::OpenRead, "it is too large");
  if (code != CURLE_OK && !is_cut(code)) refuse(ErrorCode::OpenRead, transfer.reason(code));
  return code == CURLE_OK;
}

}  // namespace

void download(const std::string& address, const std::filesystem::path& path,
              const Monitor& monitor) {
  constexpr int kMostInVain = 4;
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw Error(ErrorCode::Init, "libcurl can't be used.");
  Part part(path);
  for (int in_vain = 0;;) {
    const curl_off_t before = part.size();
    Transfer transfer(address, part, monitor);
    const CURLcode code = transfer.run();
    if (is_complete(transfer, code, address)) return;
    in_vain = part.size() > before ? 0 : in_vain + 1;
    if (in_vain == kMostInVain)
      throw Error(ErrorCode::OpenRead,
                  "\"" + address + "\" can't be had: " + transfer.reason(code) + ".");
    std::this_thread::sleep_for(std::chrono::milliseconds(250 * in_vain));
  }
}

}  // namespace patchcore::cli
