package org.kiln.camera;

import android.Manifest;
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
import java.util.concurrent.atomic.AtomicReference;
import org.kiln.KilnFace;

/** The front camera's picture, and who is on it; whoever is there can be remembered. */
public final class MainActivity extends ComponentActivity {
    /** All work with Kiln, off the thread that draws. */
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private volatile People people;
    /** Who is on the next frame, if somebody has said so. */
    private final AtomicReference<String> newName = new AtomicReference<>();
    private LifecycleCameraController camera;
    private TextView names;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.main);
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
        camera = new LifecycleCameraController(this);
        camera.setCameraSelector(CameraSelector.DEFAULT_FRONT_CAMERA);
        camera.setImageAnalysisAnalyzer(worker, this::analyse);
        camera.bindToLifecycle(this);
        ((PreviewView) findViewById(R.id.preview)).setController(camera);
    }

    /** Frames come one at a time; those that come meanwhile are dropped. */
    private void analyse(ImageProxy frame) {
        try (ImageProxy closed = frame) {
            attempt(() -> {
                if (people != null) {
                    String name = newName.getAndSet(null);
                    if (name != null) {
                        people.enrol(name, closed);
                    }
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
        newName.set(name.isEmpty() ? null : name);
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
        if (camera != null) {
            camera.clearImageAnalysisAnalyzer(); // it would find the worker gone
        }
        worker.execute(() -> {
            if (people != null) {
                people.close();
            }
        });
        worker.shutdown();
    }
}
