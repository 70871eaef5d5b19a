// Kiln for C++11 and later, over kiln.h; header-only. Plans and sessions close themselves, arrays are
// spans, and errors are values:
//
//   auto plan = kiln::plan::open("net.plan");
//   if (!plan) return plan.error().message;
//   auto session = kiln::session::create(*plan);
//   std::vector<float> x(plan->input(0).elements()), y(plan->output(0).elements());
//   kiln::status done = session->run(x, y);
//
// Exceptions are off unless KILN_EXCEPTIONS is defined: then value() of a result that has none, and
// status::check(), throw kiln::exception. Otherwise these end the program (std::abort).
//
// Threads and ownership are as in kiln.h. Objects move, and sessions do not copy (copies of a plan share
// it). A session keeps its plan open. What is empty, made by default or moved from, is for being
// assigned to and destroyed alone. What C has beyond this is reached by get().
#ifndef KILN_KILN_HPP
#define KILN_KILN_HPP

#include <kiln/kiln.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#ifdef KILN_EXCEPTIONS
#include <stdexcept>
#endif

namespace kiln {

// ---- Errors ------------------------------------------------------------------------------------

// What a call came to: true where it succeeded; else code and one line of detail.
struct status {
    kiln_status code;
    std::string message;

    status() : code(KILN_OK) {}
    status(kiln_status failed, const kiln_error &error) : code(failed) {
        if (failed != KILN_OK) {
            message = error.message;
        }
    }
    explicit operator bool() const { return code == KILN_OK; }
    void check() const;
};

#ifdef KILN_EXCEPTIONS
struct exception : std::runtime_error {
    kiln_status code;
    explicit exception(const status &failed)
        : std::runtime_error(failed.message), code(failed.code) {}
};
#endif

inline void status::check() const {
    if (code != KILN_OK) {
#ifdef KILN_EXCEPTIONS
        throw exception(*this);
#else
        std::abort();
#endif
    }
}

// A value, or why there is none.
template <typename T> class result {
  public:
    result(T &&value) : value_(std::move(value)) {}
    result(const status &failed) : status_(failed) {}

    explicit operator bool() const { return status_.code == KILN_OK; }
    const status &error() const { return status_; }
    T &value() {
        status_.check();
        return value_;
    }
    T &operator*() { return value(); }
    T *operator->() { return &value(); }

  private:
    status status_;
    T value_;
};

// ---- Spans -------------------------------------------------------------------------------------

// A borrowed run of elements: of a pointer and a count, an array, or any container with data() and
// size(), std::span among them.
template <typename T> class span {
  public:
    span() : data_(nullptr), size_(0) {}
    span(T *data, std::size_t size) : data_(data), size_(size) {}
    template <std::size_t N> span(T (&array)[N]) : data_(array), size_(N) {}
    template <typename C,
              typename = typename std::enable_if<std::is_convertible<
                  decltype(std::declval<C &>().data()), T *>::value>::type>
    span(C &container) : data_(container.data()), size_(container.size()) {}
    template <typename C,
              typename = typename std::enable_if<
                  std::is_const<T>::value &&
                  std::is_convertible<decltype(std::declval<const C &>().data()), T *>::value>::type>
    span(const C &container) : data_(container.data()), size_(container.size()) {}

    T *data() const { return data_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ * sizeof(T); }
    T *begin() const { return data_; }
    T *end() const { return data_ + size_; }
    T &operator[](std::size_t k) const { return data_[k]; }

  private:
    T *data_;
    std::size_t size_;
};

// ---- Plans -------------------------------------------------------------------------------------

struct tensor_info : kiln_tensor_info {
    // For a batch of one.
    std::size_t elements() const { return bytes > 0 ? bytes / kiln_dtype_size(dtype) : 0; }
    span<const std::uint32_t> shape() const { return span<const std::uint32_t>(dims, rank); }
};

class plan {
  public:
    plan() {}

    static result<plan> open(const char *path, const kiln_plan_options *options = nullptr) {
        kiln_plan *opened = nullptr;
        kiln_error error;
        kiln_status code = kiln_plan_open(path, options, &opened, &error);
        return take(code, opened, error);
    }
    // `bytes` stay the caller's, and must stay unchanged while the plan or a session of it is there.
    static result<plan> open(span<const unsigned char> bytes,
                             const kiln_plan_options *options = nullptr) {
        kiln_plan *opened = nullptr;
        kiln_error error;
        kiln_status code = kiln_plan_open_memory(kiln_span{bytes.data(), bytes.size()}, options,
                                                 &opened, &error);
        return take(code, opened, error);
    }

    std::size_t inputs() const { return kiln_plan_input_count(get()); }
    std::size_t outputs() const { return kiln_plan_output_count(get()); }
    // `index` is below the count; else all is 0.
    tensor_info input(std::size_t index) const {
        tensor_info info = tensor_info();
        (void)kiln_plan_input(get(), index, &info);
        return info;
    }
    tensor_info output(std::size_t index) const {
        tensor_info info = tensor_info();
        (void)kiln_plan_output(get(), index, &info);
        return info;
    }
    std::vector<std::string> labels() const {
        std::vector<std::string> all;
        for (std::size_t k = 0; k < kiln_plan_label_count(get()); k++) {
            all.push_back(kiln_plan_label(get(), k));
        }
        return all;
    }

    // The part up to a tensor or layer (null: what feeds the final dense layers), whose output are
    // the features. It keeps this plan open, whose weights it reads.
    result<plan> cut(const char *layer = nullptr) const {
        kiln_plan *part = nullptr;
        kiln_error error;
        kiln_status code = kiln_plan_cut(get(), layer, &part, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        plan made;
        made.plan_.reset(part, close_before{plan_});
        return result<plan>(std::move(made));
    }

    const kiln_plan *get() const { return plan_.get(); }
    // For what must keep it open.
    const std::shared_ptr<kiln_plan> &share() const { return plan_; }

  private:
    struct close_before {
        std::shared_ptr<kiln_plan> whole;
        void operator()(kiln_plan *part) const { kiln_plan_close(part); }
    };
    static result<plan> take(kiln_status code, kiln_plan *opened, const kiln_error &error) {
        if (code != KILN_OK) {
            return status(code, error);
        }
        plan made;
        made.plan_.reset(opened, kiln_plan_close);
        return result<plan>(std::move(made));
    }

    std::shared_ptr<kiln_plan> plan_; // sessions share it
};

// ---- Sessions ----------------------------------------------------------------------------------

inline kiln_session_options session_options(std::uint32_t threads = 1,
                                            std::uint32_t max_batch = 1) {
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = threads;
    options.max_batch = max_batch;
    return options;
}

class session {
  public:
    session() {}

    static result<session> create(const plan &of, kiln_session_options options = session_options()) {
        session made;
        kiln_session *created = nullptr;
        kiln_error error;
        kiln_status code = kiln_session_create(of.get(), &options, &created, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        made.session_ = std::unique_ptr<kiln_session, destroy>(created, destroy{of});
        return result<session>(std::move(made));
    }

    // A network of one input and one output.
    template <typename X, typename Y>
    status run(const X &input, Y &output, std::uint32_t batch = 1) {
        span<const typename std::remove_reference<decltype(input[0])>::type> x(input);
        span<typename std::remove_reference<decltype(output[0])>::type> y(output);
        return run({buffer(x)}, {buffer(y)}, batch);
    }
    // Buffers are in the order of the plan's inputs and outputs; inputs are not written to.
    status run(const std::vector<kiln_buffer> &inputs, const std::vector<kiln_buffer> &outputs,
               std::uint32_t batch = 1) {
        kiln_error error;
        kiln_status code = kiln_session_run(get(), batch, inputs.data(), inputs.size(),
                                            outputs.data(), outputs.size(), &error);
        return status(code, error);
    }
    template <typename T> static kiln_buffer buffer(span<T> elements) {
        return kiln_buffer{const_cast<typename std::remove_const<T>::type *>(elements.data()),
                           elements.bytes()};
    }
    // From any thread.
    void cancel() { kiln_session_cancel(get()); }

    kiln_session *get() const { return session_.get(); }
    const plan &of() const { return session_.get_deleter().plan; }

  private:
    // With the plan, which so outlives the session when another is assigned, too.
    struct destroy {
        kiln::plan plan;
        void operator()(kiln_session *s) const { kiln_session_destroy(s); }
    };
    std::unique_ptr<kiln_session, destroy> session_;
};

} // namespace kiln

// Faces and people, of a runtime that has them.
#ifdef __has_include
#if __has_include(<kiln/namer.h>)
#include <kiln/faces.hpp>
#endif
#endif

#endif
