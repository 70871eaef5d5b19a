package org.kiln.camera;

import android.Manifest;
import android.graphics.Bitmap;
import android.os.Bundle;
import android.widget.EditText;
import android.widget.TextView;
import androidx.activity.ComponentActivity;
import androidx.activity.result.contract.ActivityResultContracts;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.ImageProxy;
import androidx.camera.view.LifecycleCameraController;
import androidx.camera.view.PreviewView;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.kiln.KilnFace;

/** The front camera's picture, and who is on it; whoever is there can be remembered. */
public final class MainActivity extends ComponentActivity {
    /** All work with Kiln, off the thread that draws. */
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private volatile People people;
    private PreviewView preview;
    private TextView names;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.main);
        preview = findViewById(R.id.preview);
        names = findViewById(R.id.names);
        findViewById(R.id.enrol).setOnClickListener(button -> enrol());
        worker.execute(() -> attempt(() -> people = new People(this)));
        registerForActivityResult(new ActivityResultContracts.RequestPermission(), granted -> {
            if (granted) {
                startCamera();
            } else {
                names.setText(R.string.no_camera);
            }
        }).launch(Manifest.permission.CAMERA);
    }

    private void startCamera() {
        LifecycleCameraController camera = new LifecycleCameraController(this);
        camera.setCameraSelector(CameraSelector.DEFAULT_FRONT_CAMERA);
        camera.setImageAnalysisAnalyzer(worker, this::analyse);
        camera.bindToLifecycle(this);
        preview.setController(camera);
    }

    /** Frames come one at a time; those that come meanwhile are dropped. */
    private void analyse(ImageProxy frame) {
        try (ImageProxy closed = frame) {
            attempt(() -> {
                if (people != null) {
                    show(text(people.recognise(closed)));
                }
            });
        }
    }

    private String text(List<KilnFace> faces) {
        StringBuilder text = new StringBuilder();
        for (KilnFace face : faces) {
            text.append(text.length() > 0 ? ", " : "").append(face.isKnown() ? face.getName() : "?");
        }
        return text.length() > 0 ? text.toString() : getString(R.string.nobody);
    }

    private void enrol() {
        String name = ((EditText) findViewById(R.id.name)).getText().toString().trim();
        Bitmap picture = preview.getBitmap();
        if (!name.isEmpty() && picture != null) {
            worker.execute(() -> attempt(() -> {
                if (people != null) {
                    people.enrol(name, picture);
                }
            }));
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Shows what went wrong: its message is one line that says what. */
    private void attempt(Work work) {
        try {
            work.run();
        } catch (Exception e) {
            show(e.getMessage());
        }
    }

    private void show(String text) {
        runOnUiThread(() -> names.setText(text));
    }

    @Override
    protected void onDestroy() {
        super.onDestroy();
        worker.execute(() -> {
            if (people != null) {
                people.close();
            }
        });
        worker.shutdown();
    }
}
