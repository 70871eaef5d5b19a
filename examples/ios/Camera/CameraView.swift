// The front camera's picture, and who is on it: for an app made from Xcode's template "App" (SwiftUI), with the package
// Kiln, faces.plan among its resources, and NSCameraUsageDescription in its Info.plist.
import AVFoundation
import Kiln
import SwiftUI

/// Names the people of each frame; frames that come meanwhile are dropped.
final class Watcher: NSObject, ObservableObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    @Published var names = ""
    let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "org.kiln.camera")
    private var namer: Namer?

    func start() {
        AVCaptureDevice.requestAccess(for: .video) { granted in
            self.queue.async {
                do {
                    guard granted else { return self.tell("The camera may not be used.") }
                    try self.open()
                } catch {
                    self.tell("\(error)")
                }
            }
        }
    }

    private func open() throws {
        guard let camera = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .front),
            let plan = Bundle.main.url(forResource: "faces", withExtension: "plan")
        else { return tell("There is no front camera, or no faces.plan.") }
        namer = try Namer(Plan(contentsOf: plan), threads: 2)
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.addInput(try AVCaptureDeviceInput(device: camera))
        session.addOutput(output)
        output.connection(with: .video)?.videoOrientation = .portrait  // frames come upright
        session.startRunning()
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        guard let namer = namer, let frame = CMSampleBufferGetImageBuffer(sample) else { return }
        do {
            let faces = try namer.recognise(Image(frame).mirrored())
            tell(faces.map { $0.isKnown ? $0.name : "?" }.joined(separator: ", "))
        } catch {
            tell("\(error)")
        }
    }

    private func tell(_ text: String) {
        DispatchQueue.main.async { self.names = text }
    }
}

struct CameraView: View {
    @StateObject private var watcher = Watcher()

    var body: some View {
        Preview(session: watcher.session)
            .ignoresSafeArea()
            .overlay(Text(watcher.names).font(.title).padding(), alignment: .bottom)
            .onAppear(perform: watcher.start)
    }
}

private struct Preview: UIViewRepresentable {
    let session: AVCaptureSession

    final class Layer: UIView {
        override static var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
    }

    func makeUIView(context: Context) -> Layer {
        let view = Layer()
        let preview = view.layer as? AVCaptureVideoPreviewLayer
        preview?.session = session
        preview?.videoGravity = .resizeAspectFill
        return view
    }

    func updateUIView(_ view: Layer, context: Context) {}
}
