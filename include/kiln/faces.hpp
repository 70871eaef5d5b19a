// Kiln for C++11 and later: answers about images, faces and people. kiln.hpp brings it along where
// the runtime was built with them.
//
//   auto plan = kiln::plan::open("faces.plan");   // of kiln train --detector FILE --bundle
//   auto namer = kiln::namer::open(*plan);
//   if (!namer) return namer.error().message;
//   auto faces = namer->run(frame);               // frame: a kiln_image
//   for (const kiln::named_face &one : *faces) use(one.known ? one.name : "unknown");
//   namer->enrol("ada", frames);                  // any container of images
//   namer->gallery().save(*plan, "faces.plan");
//
// As in kiln.hpp objects move and do not copy, errors are values, and what is made of a plan keeps
// it open. Threads are as in C: a detector or namer belongs to one at a time.
#ifndef KILN_FACES_HPP
#define KILN_FACES_HPP

#include <kiln/answer.h>
#include <kiln/kiln.hpp>
#include <kiln/namer.h>

namespace kiln {

// ---- Images and answers ------------------------------------------------------------------------

// All of an image whose rows lie `stride` bytes apart; crop, rotation and mirror may be set after.
// Pixels are borrowed.
inline kiln_image image(kiln_image_format format, std::uint32_t width, std::uint32_t height,
                        const std::uint8_t *pixels, std::size_t stride) {
    kiln_image made = kiln_image();
    made.format = format;
    made.width = width;
    made.height = height;
    made.pixels = pixels;
    made.stride = stride;
    return made;
}

struct answer {
    std::size_t index; // of the class
    std::string label; // "" where the plan has none
    float score;
};

// The classes with the largest scores, the best first.
inline result<std::vector<answer>> classify(const session &of, const kiln_image &seen,
                                            std::size_t most = 5) {
    std::vector<kiln_answer> found(most);
    std::size_t count = 0;
    kiln_error error;
    kiln_status code = kiln_classify(of.get(), &seen, found.data(), most, &count, &error);
    if (code != KILN_OK) {
        return status(code, error);
    }
    std::vector<answer> answers;
    for (std::size_t k = 0; k < count; k++) {
        answers.push_back(answer{found[k].index, found[k].label, found[k].score});
    }
    return result<std::vector<answer>>(std::move(answers));
}

// The last output's numbers, of length 1.
inline result<std::vector<float>> embed(const session &of, const kiln_image &seen) {
    const std::size_t outputs = of.of().outputs();
    std::vector<float> features(outputs > 0 ? of.of().output(outputs - 1).elements() : 0);
    kiln_error error;
    kiln_status code = kiln_embed(of.get(), &seen, features.data(), features.size(), &error);
    if (code != KILN_OK) {
        return status(code, error);
    }
    return result<std::vector<float>>(std::move(features));
}

// The cosine of the angle between two vectors; 0 where they are not of one size.
inline float similarity(span<const float> a, span<const float> b) {
    return a.size() == b.size() ? kiln_similarity(a.data(), b.data(), a.size()) : 0;
}

// ---- Faces -------------------------------------------------------------------------------------

class detector {
  public:
    detector() {}

    // Of a detector's own plan; of a trained plan, the detector that it holds.
    static result<detector> create(const plan &of, const kiln_detector_options *options = nullptr) {
        return make(kiln_detector_create, of, options);
    }
    static result<detector> open_bundled(const plan &of,
                                         const kiln_detector_options *options = nullptr) {
        return make(kiln_detector_open_bundled, of, options);
    }

    // By falling score.
    result<std::vector<kiln_face>> find(const kiln_image &seen, std::size_t most = 16) {
        std::vector<kiln_face> faces(most);
        std::size_t count = 0;
        kiln_error error;
        kiln_status code = kiln_detector_find(get(), &seen, faces.data(), most, &count, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        faces.resize(count);
        return result<std::vector<kiln_face>>(std::move(faces));
    }
    kiln_detector_info describe() const {
        kiln_detector_info info = kiln_detector_info();
        kiln_detector_describe(get(), &info);
        return info;
    }

    kiln_detector *get() const { return detector_.get(); }

  private:
    typedef kiln_status (*maker)(const kiln_plan *, const kiln_detector_options *, kiln_detector **,
                                 kiln_error *);
    static result<detector> make(maker maker_of, const plan &of,
                                 const kiln_detector_options *options) {
        detector made;
        kiln_detector *created = nullptr;
        kiln_error error;
        kiln_status code = maker_of(of.get(), options, &created, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        made.detector_ = std::unique_ptr<kiln_detector, destroy>(created, destroy{of.share()});
        return result<detector>(std::move(made));
    }

    struct destroy {
        std::shared_ptr<kiln_plan> plan;
        void operator()(kiln_detector *d) const { kiln_detector_destroy(d); }
    };
    std::unique_ptr<kiln_detector, destroy> detector_;
};

// The face upright: out_rgb has room for height rows of width pixels of three bytes.
inline status crop_face(const kiln_image &seen, const kiln_face &face, std::uint32_t width,
                        std::uint32_t height, span<std::uint8_t> out_rgb) {
    kiln_error error;
    kiln_status code =
        out_rgb.size() / 3 / (width > 0 ? width : 1) < height
            ? kiln_fail(&error, KILN_ERROR_ARGUMENT, "no room for %u x %u pixels", width, height)
            : kiln_face_crop(&seen, &face, width, height, out_rgb.data(), &error);
    return status(code, error);
}

// ---- People ------------------------------------------------------------------------------------

// A gallery. Features are rows of features() numbers each.
class people {
  public:
    people() {}
    people(people &&) = default;
    people &operator=(people &&) = default;

    // That of a plan, which need not stay open; and one without people.
    static result<people> open(const plan &of) {
        kiln_people *opened = nullptr;
        kiln_error error;
        kiln_status code = kiln_people_open(of.get(), &opened, &error);
        return take(code, opened, error);
    }
    static result<people> create(std::size_t feature_count,
                                 const kiln_allocator *allocator = nullptr) {
        kiln_people *created = nullptr;
        kiln_error error;
        kiln_status code = kiln_people_create(feature_count, allocator, &created, &error);
        return take(code, created, error);
    }

    std::size_t features() const { return kiln_people_feature_count(get()); }
    std::size_t size() const { return kiln_people_count(get()); }
    // In the order of their bytes; "" where there is no such person.
    std::string name(std::size_t person) const {
        const char *found = kiln_people_name(get(), person);
        return found != nullptr ? found : "";
    }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (std::size_t k = 0; k < size(); k++) {
            all.push_back(name(k));
        }
        return all;
    }
    bool contains(const std::string &somebody) const {
        std::size_t at;
        return kiln_people_find(get(), somebody.c_str(), &at);
    }

    // rows: one or more pictures of somebody, one after the other.
    status enrol(const std::string &somebody, span<const float> rows) {
        kiln_error error;
        const std::size_t count = rows.size() / features();
        kiln_status code = check(rows, count, &error);
        if (code == KILN_OK) {
            code = kiln_people_enrol(get(), somebody.c_str(), rows.data(), count, nullptr, &error);
        }
        return status(code, error);
    }
    status forget(const std::string &somebody) {
        kiln_error error;
        kiln_status code = kiln_people_forget(get(), somebody.c_str(), &error);
        return status(code, error);
    }
    status rename(const std::string &somebody, const std::string &new_name) {
        kiln_error error;
        kiln_status code = kiln_people_rename(get(), somebody.c_str(), new_name.c_str(), &error);
        return status(code, error);
    }
    // "That is not SOMEBODY."
    status correct(const std::string &somebody, span<const float> row) {
        kiln_error error;
        kiln_status code = check(row, 1, &error);
        if (code == KILN_OK) {
            code = kiln_people_correct(get(), somebody.c_str(), row.data(), nullptr, &error);
        }
        return status(code, error);
    }
    status add_stranger(span<const float> row, std::uint32_t who) {
        kiln_error error;
        kiln_status code = check(row, 1, &error);
        if (code == KILN_OK) {
            code = kiln_people_add_stranger(get(), row.data(), who, &error);
        }
        return status(code, error);
    }

    // rate 0: the default.
    result<kiln_people_threshold> decide(double rate = 0) const {
        kiln_people_threshold found = kiln_people_threshold();
        kiln_error error;
        kiln_status code = kiln_people_decide(get(), rate, &found, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        return result<kiln_people_threshold>(std::move(found));
    }
    // scores: the whole plan's output, or none.
    result<kiln_people_verdict> judge(span<const float> row, float threshold,
                                      span<const float> scores = span<const float>()) const {
        kiln_people_verdict found = kiln_people_verdict();
        kiln_error error;
        kiln_status code = check(row, 1, &error);
        if (code == KILN_OK) {
            code = kiln_people_judge(get(), row.data(), scores.data(), scores.size(), threshold,
                                     &found, &error);
        }
        if (code != KILN_OK) {
            return status(code, error);
        }
        return result<kiln_people_verdict>(std::move(found));
    }

    // `of` with these people in it; path may be its own.
    status save(const plan &of, const std::string &path) const {
        kiln_error error;
        kiln_status code = kiln_people_save(get(), of.get(), path.c_str(), &error);
        return status(code, error);
    }

    kiln_people *get() const { return people_.get(); }

  private:
    friend class namer;
    static result<people> take(kiln_status code, kiln_people *opened, const kiln_error &error) {
        if (code != KILN_OK) {
            return status(code, error);
        }
        people made;
        made.people_.reset(opened, kiln_people_close);
        return result<people>(std::move(made));
    }
    kiln_status check(span<const float> rows, std::size_t count, kiln_error *error) const {
        return count > 0 && rows.size() == count * features()
                   ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_ARGUMENT,
                               "%zu numbers where pictures have %zu features", rows.size(),
                               features());
    }

    std::shared_ptr<kiln_people> people_; // a namer's own: kept with the namer
};

// ---- From a frame to names ---------------------------------------------------------------------

struct named_face {
    kiln_face face;
    bool known;
    std::string name; // whom the face is of, or is most like; "": there is nobody
    float similarity, asked, probability;
};

class namer {
  public:
    namer() {}
    namer(namer &&) = default;
    namer &operator=(namer &&) = default;

    // detector: a plan of its own, where `of` holds none.
    static result<namer> open(const plan &of, const kiln_namer_options *options = nullptr,
                              const plan &detector = plan()) {
        kiln_namer *opened = nullptr;
        kiln_error error;
        kiln_namer_options used;
        kiln_namer_options_init(&used);
        used = options != nullptr ? *options : used;
        used.detector = detector.get() != nullptr ? detector.get() : used.detector;
        kiln_status code = kiln_namer_open(of.get(), &used, &opened, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        namer made;
        made.namer_.reset(opened, close{of.share(), detector.share()});
        return result<namer>(std::move(made));
    }

    // By the falling score of their faces.
    result<std::vector<named_face>> run(const kiln_image &seen, std::size_t most = 16) {
        std::vector<kiln_named_face> found(most);
        std::size_t count = 0;
        kiln_error error;
        kiln_status code = kiln_namer_run(get(), &seen, found.data(), most, &count, &error);
        if (code != KILN_OK) {
            return status(code, error);
        }
        std::vector<named_face> faces;
        for (std::size_t k = 0; k < count; k++) {
            const kiln_named_face &f = found[k];
            faces.push_back(
                named_face{f.face, f.known, f.name, f.similarity, f.asked, f.probability});
        }
        return result<std::vector<named_face>>(std::move(faces));
    }

    // By the largest face of each image.
    status enrol(const std::string &somebody, span<const kiln_image> images) {
        kiln_error error;
        kiln_status code =
            kiln_namer_enrol(get(), somebody.c_str(), images.data(), images.size(), &error);
        return status(code, error);
    }
    // The namer's own people, which keep it alive; get() is null where its plan knows none. After a
    // change of them call decide.
    people gallery() const {
        people shared;
        shared.people_ = std::shared_ptr<kiln_people>(namer_, kiln_namer_people(get()));
        return shared;
    }
    status decide() {
        kiln_error error;
        kiln_status code = kiln_namer_decide(get(), &error);
        return status(code, error);
    }

    kiln_namer *get() const { return namer_.get(); }

  private:
    struct close {
        std::shared_ptr<kiln_plan> plan, detector;
        void operator()(kiln_namer *n) const { kiln_namer_close(n); }
    };
    std::shared_ptr<kiln_namer> namer_; // galleries share it
};

} // namespace kiln

#endif
